/** The forms as they stand: a signal for each field, kept for this tab of the browser over a reload. */
import { batch, effect, signal, type Signal } from "@preact/signals";
import { fieldsOf, fromJson } from "../api";
import type { Cloud, Form } from "./body";
import { NAMES, usualValues, withValues, type Name, type Tab, type Values } from "./fields";
import { readUnit, UNITS, usualUnit, type Unit } from "./units";

export type Fields = { readonly [K in Name]: Signal<Values[K]> };

export interface State {
  readonly tab: Tab;
  readonly fields: Fields;
  readonly overrides: Signal<Readonly<Record<string, unknown>>>;
  readonly styles: Signal<readonly string[]>;
  readonly units: readonly Signal<Unit>[];
  /** pictures of the units; they are not kept over a reload */
  readonly unitPictures: readonly Signal<Blob | null>[];
}

/** The sub-tabs of img2img. */
export const MODES = ["img2img", "sketch", "inpaint", "inpaint_sketch", "inpaint_upload"] as const;
export type PictureMode = (typeof MODES)[number];

export const mode = signal<PictureMode>("img2img");
export const extrasPicture = signal<Blob | null>(null);
export const cloud: { readonly [K in keyof Cloud]: Signal<string> } = {
  checkpoint: signal(""),
  vae: signal("Automatic"),
  endpoint: signal(""),
};
export const states: Readonly<Record<Tab, State>> = {
  txt2img: stateOf("txt2img"),
  img2img: stateOf("img2img"),
  extras: stateOf("extras"),
};

function stateOf(tab: Tab): State {
  const usual = usualValues(tab);
  return {
    tab,
    fields: Object.fromEntries(NAMES.map((name) => [name, signal(usual[name])])) as unknown as Fields,
    overrides: signal({}),
    styles: signal([]),
    units: Array.from({ length: UNITS }, () => signal(usualUnit())),
    unitPictures: Array.from({ length: UNITS }, () => signal<Blob | null>(null)),
  };
}

/** The values of a form now. Whoever reads them while it renders is rendered anew with each of them. */
export function valuesOf(state: State): Values {
  return Object.fromEntries(NAMES.map((name) => [name, state.fields[name].value])) as unknown as Values;
}

export function setValues(state: State, values: Partial<Values>): void {
  batch(() => {
    for (const [name, value] of Object.entries(values)) (state.fields[name as Name] as Signal<unknown>).value = value;
  });
}

export function formOf(state: State): Form {
  return {
    values: valuesOf(state),
    overrides: state.overrides.value,
    styles: state.styles.value,
    units: state.units.map((unit) => unit.value),
  };
}

export function cloudNow(): Cloud {
  return { checkpoint: cloud.checkpoint.value, vae: cloud.vae.value, endpoint: cloud.endpoint.value };
}

/** Everything as it was when the page was opened for the first time. */
export function reset(state: State): void {
  batch(() => {
    setValues(state, usualValues(state.tab));
    state.overrides.value = {};
    state.styles.value = [];
    for (const unit of state.units) unit.value = usualUnit();
    for (const picture of state.unitPictures) picture.value = null;
  });
}

const PREFIX = "darkroom.form.";
const PAUSE = 300;

/** Reads what this tab of the browser kept, and keeps what changes from now on. */
export function keepForms(storage: Storage = sessionStorage): void {
  for (const state of Object.values(states)) {
    restore(state, storage.getItem(PREFIX + state.tab));
    keeps(PREFIX + state.tab, storage, () => formOf(state));
  }
  restoreCloud(storage.getItem(`${PREFIX}cloud`));
  keeps(`${PREFIX}cloud`, storage, () => ({ ...cloudNow(), mode: mode.value }));
}

function keeps(name: string, storage: Storage, read: () => unknown): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let latest: unknown;
  const write = () => {
    clearTimeout(timer);
    timer = undefined;
    storage.setItem(name, JSON.stringify(latest));
  };
  effect(() => {
    latest = read();
    clearTimeout(timer);
    timer = setTimeout(write, PAUSE);
  });
  addEventListener("pagehide", write);
}

function restore(state: State, text: string | null): void {
  const { values, overrides, styles, units } = fieldsOf(fromJson(text));
  if (typeof values !== "object" || values === null) return;
  setValues(state, withValues(usualValues(state.tab), values as Record<string, unknown>));
  if (typeof overrides === "object" && overrides !== null) state.overrides.value = overrides as Record<string, unknown>;
  if (Array.isArray(styles)) state.styles.value = styles.filter((name): name is string => typeof name === "string");
  if (Array.isArray(units)) state.units.forEach((unit, index) => (unit.value = readUnit(units[index])));
}

function restoreCloud(text: string | null): void {
  const kept = fieldsOf(fromJson(text));
  for (const name of ["checkpoint", "vae", "endpoint"] as const) {
    const value = kept[name];
    if (typeof value === "string") cloud[name].value = value;
  }
  const found = MODES.find((each) => each === kept["mode"]);
  if (found) mode.value = found;
}
