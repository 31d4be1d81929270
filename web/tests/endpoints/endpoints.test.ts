import { describe, expect, it } from "vitest";

import { isPassing, stateOf, takesJobs } from "../../src/endpoints/state";
import { EMPTY_FORM, faultsOf, wishOf } from "../../src/endpoints/wish";

const endpoint = (status: string, instances = 1, wanted_instances = instances, deleting = false) => ({
  status,
  instances,
  wanted_instances,
  deleting,
});

describe("the state of an endpoint", () => {
  it.each([
    ["awake", endpoint("InService"), true, false],
    ["asleep", endpoint("InService", 0), true, false],
    ["waking", endpoint("Updating", 0, 1), true, true],
    ["changing", endpoint("Updating", 1, 2), true, true],
    ["changing", endpoint("SystemUpdating"), true, true],
    ["creating", endpoint("Creating", 0, 1), false, true],
    ["broken", endpoint("Failed", 0), false, false],
    ["deleting", endpoint("InService", 1, 1, true), false, true],
    ["deleting", endpoint("Deleting", 1, 1, true), false, true],
    ["unusual", endpoint("OutOfService", 0), false, false],
  ])("is %s", (state, one, takes, passes) => {
    expect([stateOf(one), takesJobs(one), isPassing(one)]).toEqual([state, takes, passes]);
  });
});

describe("the form of a new endpoint", () => {
  it("leaves to the stage what is empty", () => {
    expect(wishOf(EMPTY_FORM)).toEqual({ min_instances: 0, max_instances: 1, jobs_at_once: 1 });
  });

  it("says each field", () => {
    const form = { ...EMPTY_FORM, name: " Fast ", container: "preview" as const, instanceType: "ml.m5.large", least: 1, most: 3, atOnce: 2 };
    expect(wishOf(form)).toEqual({
      name: "Fast",
      engine: "preview",
      instance_type: "ml.m5.large",
      min_instances: 1,
      max_instances: 3,
      jobs_at_once: 2,
    });
  });

  it("names several instance types in their order", () => {
    const form = { ...EMPTY_FORM, instanceType: " ml.g5.xlarge，ml.g4dn.xlarge, " };
    expect(wishOf(form)).toMatchObject({ instance_types: ["ml.g5.xlarge", "ml.g4dn.xlarge"] });
    expect(wishOf(form)).not.toHaveProperty("instance_type");
    const wrong = ["ml.g5.xlarge ml.g5.xlarge", "ml.g5.xlarge, g4dn", [2, 4, 8, 12, 16, 24].map((n) => `ml.g5.${n}xlarge`).join(" ")];
    for (const instanceType of wrong) expect(faultsOf({ ...EMPTY_FORM, instanceType })).toEqual({ instanceType: "typeWrong" });
  });

  it("names no engine for a container of one's own", () => {
    const wish = wishOf({ ...EMPTY_FORM, container: "own", image: "registry/worker:1" });
    expect(wish).toMatchObject({ image: "registry/worker:1" });
    expect(wish).not.toHaveProperty("engine");
  });

  it("says what the API would refuse", () => {
    expect(faultsOf(EMPTY_FORM)).toEqual({});
    const wrong = { ...EMPTY_FORM, name: "-x", instanceType: "g5", container: "own" as const, least: 3, most: 2 };
    expect(faultsOf(wrong)).toEqual({
      name: "nameWrong",
      instanceType: "typeWrong",
      image: "imageMissing",
      most: "boundsWrong",
    });
  });
});
