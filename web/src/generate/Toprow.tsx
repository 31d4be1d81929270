/** Prompts, the button, and the tools beside them. */
import { useSignal } from "@preact/signals";
import { explain, type Job } from "../api";
import { NearBudget } from "../costs";
import { Button, Notice, toast } from "../ui";
import { boardNow, CANVAS, pictureTaken } from "./boards";
import { fillFromInfotext } from "./filling";
import { endOf } from "./following";
import { mode, setValues, type State } from "./forms";
import { PromptBox } from "./PromptBox";
import { latestOf } from "./results";
import { reasonText, problemText } from "./reasons";
import { generate, interrogate, outcomes, type InterrogationType } from "./sending";
import { applyStyles, StyleChoice } from "./StyleChoice";
import { t } from "./texts";

export function Toprow({ state }: { state: State }) {
  return (
    <div class="toprow">
      <div class="stack prompts">
        <PromptBox state={state} name="prompt" />
        <PromptBox state={state} name="negative_prompt" />
      </div>
      <div class="stack actions">
        <GenerateButton state={state} />
        <Tools state={state} />
        <StyleChoice state={state} />
      </div>
      <Remarks state={state} />
    </div>
  );
}

/** It never waits: while one wish is on its way the next one can be sent. */
export function GenerateButton({ state }: { state: State }) {
  const { sending } = outcomes[state.tab].value;
  return (
    <Button kind="primary" class="generate" title={t("generateKeys")} onClick={() => void generate(state.tab)}>
      {sending > 0 ? t("sending") : t("generate")}
    </Button>
  );
}

/** Beside the button: why the last click made no job, and a budget that is nearly spent. */
export function Remarks({ state }: { state: State }) {
  return (
    <div class="remarks">
      <Refusal state={state} />
      <NearBudget />
    </div>
  );
}

function Refusal({ state }: { state: State }) {
  const { reasons, fault } = outcomes[state.tab].value;
  if (reasons.length === 0 && fault === null) return null;
  const lines = [...reasons.map(reasonText), ...(fault === null ? [] : problemText(fault))];
  return (
    <Notice kind="error">
      {lines.length === 1 ? (
        lines[0]
      ) : (
        <ul>
          {lines.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
    </Notice>
  );
}

function Tools({ state }: { state: State }) {
  const { prompt, negative_prompt } = state.fields;
  const read = () => {
    const text = prompt.value.trim() || (latestOf(state.tab)?.infotexts[0] ?? "");
    if (text && state.tab !== "extras") fillFromInfotext(text, { tab: state.tab });
  };
  const clear = () => {
    const before = { prompt: prompt.value, negative_prompt: negative_prompt.value };
    if (!before.prompt && !before.negative_prompt) return;
    setValues(state, { prompt: "", negative_prompt: "" });
    toast(t("promptsCleared"), { action: { label: t("undo"), run: () => setValues(state, before) } });
  };
  return (
    <div class="tools">
      <Button icon="send" class="read-parameters" label={t("readParameters")} onClick={read} />
      <Button icon="trash" label={t("clearPrompt")} onClick={clear} />
      <Button
        icon="copy"
        label={t("applyStyles")}
        disabled={state.styles.value.length === 0}
        onClick={() => applyStyles(state)}
      />
      {state.tab === "img2img" && (
        <>
          <Interrogate state={state} type="interrogate_clip" />
          <Interrogate state={state} type="interrogate_deepbooru" />
        </>
      )}
    </div>
  );
}

function Interrogate({ state, type }: { state: State; type: InterrogationType }) {
  const isOpen = useSignal(false);
  const { prompt } = state.fields;
  const run = async () => {
    await pictureTaken();
    const picture = await boardNow().result(CANVAS[mode.value].canvas);
    if (!picture) {
      toast(t("noPicture"), { kind: "error" });
      return;
    }
    isOpen.value = true;
    try {
      tell(await endOf((await interrogate(type, picture.init)).id));
    } catch (fault) {
      toast(explain(fault), { kind: "error" });
    } finally {
      isOpen.value = false;
    }
  };
  const tell = (job: Job | null) => {
    if (!job || job.caption === null) {
      toast(job?.error?.message ?? t("noCaption"), { kind: "error" });
      return;
    }
    const before = prompt.value;
    prompt.value = job.caption;
    if (before) toast(t("promptReplaced"), { action: { label: t("undo"), run: () => (prompt.value = before) } });
  };
  return (
    <Button
      class="interrogate"
      label={t(type)}
      title={t(`what_${type}`)}
      busy={isOpen.value}
      onClick={() => void run()}
    >
      {type === "interrogate_clip" ? t("clipShort") : t("deepbooruShort")}
    </Button>
  );
}
