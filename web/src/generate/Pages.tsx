/** The tabs txt2img, img2img and Extras. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { refreshEndpoints } from "../endpoints";
import { Tabs, type PageProps } from "../ui";
import { Cloud } from "./Cloud";
import { ControlNet } from "./ControlNet";
import { ExtrasForm } from "./ExtrasForm";
import { states, type State } from "./forms";
import { NumberInput } from "./inputs";
import { NETWORKS, Networks, type NetworkKind } from "./Networks";
import { Inpainting, Pictures, ResizeMode } from "./Pictures";
import { LastJob } from "./LastJob";
import { generate } from "./sending";
import { Hires, MoreOptions, Refiner, ResizeTo, Sampling, Seed, Size } from "./Settings";
import { files, refreshFiles } from "./shelf";
import { t } from "./texts";
import { GenerateButton, Remarks, Toprow } from "./Toprow";
import "./generate.css";

/** Reads the shelf and the endpoints when a page first comes into sight, and the endpoints each time. */
function useLists(active: boolean): void {
  useEffect(() => {
    if (!active) return;
    if (files.value === null) void refreshFiles();
    void refreshEndpoints();
  }, [active]);
}

/** Ctrl+Enter sends from everywhere on the page, as in the WebUI. */
function Sheet({ state, active, children }: { state: State; active: boolean; children: ComponentChildren }) {
  useLists(active);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) return;
    event.preventDefault();
    void generate(state.tab);
  };
  return (
    <div class="stack generate-page" onKeyDown={onKeyDown}>
      {children}
    </div>
  );
}

/** *Generation* and, beside it, the shelf by kinds. */
function Body({ state, children }: { state: State; children: ComponentChildren }) {
  const chosen = useSignal<"generation" | NetworkKind>("generation");
  return (
    <Tabs
      label={t("parts")}
      tabs={[{ id: "generation", label: t("generation") }, ...NETWORKS.map((id) => ({ id, label: t(`shelf_${id}`) }))]}
      chosen={chosen.value}
      onChoose={(id) => (chosen.value = id as "generation" | NetworkKind)}
      shows={(id) =>
        id === "generation" ? (
          <div class="columns">
            <div class="stack">{children}</div>
            <LastJob tab={state.tab} />
          </div>
        ) : id === chosen.value ? (
          <Networks state={state} kind={id as NetworkKind} />
        ) : null
      }
    />
  );
}

export function Txt2img({ active }: PageProps) {
  const state = states.txt2img;
  return (
    <Sheet state={state} active={active}>
      <Cloud />
      <Toprow state={state} />
      <Body state={state}>
        <Sampling state={state} />
        <Hires state={state} />
        <Refiner state={state} />
        <Size state={state} />
        <NumberInput state={state} name="cfg_scale" />
        <Seed state={state} />
        <ControlNet state={state} />
        <MoreOptions state={state} />
      </Body>
    </Sheet>
  );
}

export function Img2img({ active }: PageProps) {
  const state = states.img2img;
  return (
    <Sheet state={state} active={active}>
      <Cloud />
      <Toprow state={state} />
      <Body state={state}>
        <Pictures />
        <ResizeMode state={state} />
        <Inpainting state={state} />
        <Sampling state={state} />
        <Refiner state={state} />
        <ResizeTo state={state} />
        <NumberInput state={state} name="cfg_scale" />
        <NumberInput state={state} name="denoising_strength" />
        <Seed state={state} />
        <ControlNet state={state} />
        <MoreOptions state={state} />
      </Body>
    </Sheet>
  );
}

export function Extras({ active }: PageProps) {
  const state = states.extras;
  return (
    <Sheet state={state} active={active}>
      <Cloud modelFree />
      <div class="columns">
        <div class="stack">
          <GenerateButton state={state} />
          <Remarks state={state} />
          <ExtrasForm />
        </div>
        <LastJob tab="extras" />
      </div>
    </Sheet>
  );
}
