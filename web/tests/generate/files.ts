/** A file on the shelf, and an endpoint, as the API tells them. */
import type { Checkpoint, Endpoint } from "../../src/api";

export function file(kind: Checkpoint["kind"], name: string, more: Partial<Checkpoint> = {}): Checkpoint {
  return {
    kind,
    name,
    status: "active",
    size: 1000,
    sha256: null,
    owner: "anna",
    created_at: null,
    pickle: false,
    base_model: null,
    trigger_words: [],
    reason: null,
    done: null,
    folder: null,
    aliases: [],
    purpose: null,
    ...more,
  };
}

export function endpoint(name: string, status: string, more: Partial<Endpoint> = {}): Endpoint {
  return {
    name,
    status,
    usable: status === "InService",
    created_at: "2026-11-27T00:00:00Z",
    modified_at: "2026-11-27T00:00:00Z",
    instance_type: null,
    instance_types: [],
    image: null,
    engine: null,
    instances: 1,
    wanted_instances: 1,
    min_instances: 0,
    max_instances: 1,
    scaling: true,
    open_jobs: 0,
    owner: null,
    failure: null,
    deleting: false,
    warm_until: null,
    hours: null,
    dollars_an_hour: null,
    ...more,
  };
}
