/** The shelf beside *Generation*: files of a kind as cards, with search; a click puts one into prompt or form. */
import { useSignal } from "@preact/signals";
import type { Checkpoint } from "../api";
import { size } from "../texts";
import { Button, Empty, Field, Notice } from "../ui";
import { insertionOf } from "./completion";
import { cloud, type State } from "./forms";
import { toggled } from "./prompt";
import { fits } from "./search";
import { files, filesProblem, ofKind, reading, refreshFiles, stem, type ModelKind } from "./shelf";
import { t } from "./texts";
import { usualUnit } from "./units";

/** The kinds in the order of the WebUI's tabs. */
export const NETWORKS = [
  "embedding",
  "hypernetwork",
  "stable-diffusion",
  "lora",
  "vae",
  "controlnet",
] as const satisfies readonly ModelKind[];
export type NetworkKind = (typeof NETWORKS)[number];

const PAGE = 60;

export function Networks({ state, kind }: { state: State; kind: NetworkKind }) {
  const words = useSignal("");
  const most = useSignal(PAGE);
  const all = ofKind(files.value, kind);
  const found = all.filter((file) => fits(file, words.value));
  return (
    <div class="stack">
      <div class="networks-head">
        <Field
          label={t("searchFiles")}
          hideLabel
          type="search"
          placeholder={t("searchFiles")}
          value={words.value}
          onChange={(text) => {
            words.value = text;
            most.value = PAGE;
          }}
        />
        <Button icon="refresh" label={t("refreshFiles")} busy={reading.value > 0} onClick={() => void refreshFiles()} />
      </div>
      {filesProblem.value && <Notice kind="error">{filesProblem.value}</Notice>}
      {found.length === 0 && (
        <Empty icon="search">
          {t(files.value === null ? "loading" : all.length ? "nothingFound" : "nothingThere")}
        </Empty>
      )}
      <ul class="cards">
        {found.slice(0, most.value).map((file) => (
          <Card key={file.name} file={file} state={state} />
        ))}
      </ul>
      {found.length > most.value && (
        <Button onClick={() => (most.value += PAGE)}>{t("moreFiles", { n: found.length - most.value })}</Button>
      )}
    </div>
  );
}

function Card({ file, state }: { file: Checkpoint; state: State }) {
  const { prompt } = state.fields;
  const isUsed = uses(state, file);
  const bytes = file.size === null ? null : size(file.size);
  const about = [file.folder, file.base_model, bytes].filter(Boolean).join(" · ");
  return (
    <li class={isUsed ? "card used" : "card"}>
      <button type="button" class="card-name" aria-pressed={isUsed} onClick={() => use(state, file)}>
        {stem(file.name)}
        {about && <span class="muted">{about}</span>}
      </button>
      {file.kind === "lora" && file.trigger_words.length > 0 && (
        <div class="chips" role="group" aria-label={t("triggerWords")}>
          {file.trigger_words.map((word) => (
            <button
              key={word}
              type="button"
              class="chip word"
              onClick={() => (prompt.value = withWord(prompt.value, word))}
            >
              {word}
            </button>
          ))}
        </div>
      )}
    </li>
  );
}

function withWord(prompt: string, word: string): string {
  return prompt.trim() === "" ? word : `${prompt.trimEnd().replace(/,$/, "")}, ${word}`;
}

function uses(state: State, file: Checkpoint): boolean {
  if (file.kind === "stable-diffusion") return cloud.checkpoint.value === file.name;
  if (file.kind === "vae") return cloud.vae.value === file.name;
  if (file.kind === "controlnet")
    return state.units.some((unit) => unit.value.enabled && unit.value.model === file.name);
  const text = insertionOf(file)?.replace(/:1>$/, ":") ?? file.name;
  return state.fields.prompt.value.includes(text);
}

/** What a click on a card does; another click takes a network out of the prompt again. */
function use(state: State, file: Checkpoint): void {
  const insertion = insertionOf(file);
  if (file.kind === "stable-diffusion") cloud.checkpoint.value = file.name;
  else if (file.kind === "vae") cloud.vae.value = cloud.vae.value === file.name ? "Automatic" : file.name;
  else if (file.kind === "controlnet") useControlNet(state, file.name);
  else if (insertion) state.fields.prompt.value = toggled(state.fields.prompt.value, written(state, insertion));
}

/** The tag as it stands in the prompt, with whatever weight; as it is put there where it does not stand. */
function written(state: State, insertion: string): string {
  if (!insertion.endsWith(":1>")) return insertion;
  const begin = state.fields.prompt.value.indexOf(insertion.slice(0, -2));
  const end = state.fields.prompt.value.indexOf(">", begin);
  return begin < 0 || end < 0 ? insertion : state.fields.prompt.value.slice(begin, end + 1);
}

function useControlNet(state: State, name: string): void {
  const used = state.units.find((unit) => unit.value.model === name);
  if (used) used.value = usualUnit();
  else {
    const free = state.units.find((unit) => unit.value.model === "") ?? state.units.at(-1);
    if (free) free.value = { ...free.value, enabled: true, model: name };
  }
}
