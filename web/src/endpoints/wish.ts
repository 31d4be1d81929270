/** The form of a new endpoint, and what it says to the API. */

import type { EndpointWish } from "../api";

export type Container = "stage" | "diffusers" | "preview" | "own";

export interface EndpointForm {
  name: string;
  container: Container;
  image: string;
  instanceType: string;
  least: number;
  most: number;
  atOnce: number;
}

export const EMPTY_FORM: EndpointForm = {
  name: "",
  container: "stage",
  image: "",
  instanceType: "",
  least: 0,
  most: 1,
  atOnce: 1,
};

export type FormFault = "nameWrong" | "typeWrong" | "imageMissing" | "boundsWrong";

/** The instance types in a form, in order of preference: commas or blanks stand between them. */
export function typesOf(form: EndpointForm): string[] {
  return form.instanceType.split(/[\s,，、]+/).filter(Boolean);
}

/** What is wrong with a form, by field: what the API would refuse, before it is asked. */
export function faultsOf(form: EndpointForm): Partial<Record<keyof EndpointForm, FormFault>> {
  const faults: Partial<Record<keyof EndpointForm, FormFault>> = {};
  const name = form.name.trim();
  if (name && (!/^[a-zA-Z0-9](-*[a-zA-Z0-9])*$/.test(name) || name.length > 63)) faults.name = "nameWrong";
  const types = typesOf(form);
  const twice = new Set(types).size < types.length;
  if (twice || types.length > 5 || !types.every((type) => /^ml\.[a-z0-9-]+\.[a-z0-9]+$/.test(type))) {
    faults.instanceType = "typeWrong";
  }
  if (form.container === "own" && !/^\S+$/.test(form.image.trim())) faults.image = "imageMissing";
  if (form.most < form.least) faults.most = "boundsWrong";
  return faults;
}

/** The body of `POST /endpoints`; what is empty comes from the stage. */
export function wishOf(form: EndpointForm): EndpointWish {
  const wish: EndpointWish = { min_instances: form.least, max_instances: form.most, jobs_at_once: form.atOnce };
  if (form.name.trim()) wish.name = form.name.trim();
  const types = typesOf(form);
  if (types.length === 1) wish.instance_type = types[0];
  if (types.length > 1) wish.instance_types = types;
  if (form.container === "own") wish.image = form.image.trim();
  if (form.container === "diffusers" || form.container === "preview") wish.engine = form.container;
  return wish;
}
