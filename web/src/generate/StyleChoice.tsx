/** Styles beside the prompts: chosen ones are added when the job is sent; the dialog makes and changes them. */
import { useSignal } from "@preact/signals";
import { Button, Chip, Dialog, Field, Select, TextArea } from "../ui";
import type { State } from "./forms";
import { setValues, valuesOf } from "./forms";
import { label } from "./labelTexts";
import { deleteStyle, saveStyle, styleNamed, styles, withStyles } from "./styles";
import { t } from "./texts";

export function StyleChoice({ state }: { state: State }) {
  const isOpen = useSignal(false);
  const chosen = state.styles.value;
  const left = styles.value.filter(({ name }) => !chosen.includes(name)).map(({ name }) => name);
  const first = { value: "", label: t(styles.value.length === 0 ? "noStyles" : "chooseStyle") };
  return (
    <div class="stack styles">
      <div class="refreshed">
        <Select
          label={t("styles")}
          hideLabel
          value=""
          options={[first, ...left]}
          disabled={left.length === 0}
          onChange={(name) => name && (state.styles.value = [...chosen, name])}
        />
        <Button icon="brush" label={t("editStyles")} onClick={() => (isOpen.value = true)} />
      </div>
      {chosen.length > 0 && (
        <div class="chips">
          {chosen.map((name) => (
            <Chip key={name} onRemove={() => (state.styles.value = chosen.filter((each) => each !== name))}>
              {name}
            </Chip>
          ))}
        </div>
      )}
      {isOpen.value && <StylesDialog state={state} onClose={() => (isOpen.value = false)} />}
    </div>
  );
}

/** Puts the texts of the chosen styles into the prompts, and chooses none. */
export function applyStyles(state: State): void {
  const { prompt, negative_prompt } = withStyles(valuesOf(state), state.styles.value, styles.value);
  setValues(state, { prompt, negative_prompt });
  state.styles.value = [];
}

function StylesDialog({ state, onClose }: { state: State; onClose: () => void }) {
  const draft = useSignal({ name: state.styles.value[0] ?? "", ...textsOf(state.styles.value[0] ?? "") });
  const { name, prompt, negative_prompt } = draft.value;
  const set = (change: Partial<typeof draft.value>) => (draft.value = { ...draft.value, ...change });
  const isKnown = styleNamed(name.trim()) !== undefined;
  return (
    <Dialog title={t("editStyles")} onClose={onClose}>
      {styles.value.length > 0 && (
        <Select
          label={t("knownStyles")}
          value={isKnown ? name.trim() : ""}
          options={[{ value: "", label: t("newStyle") }, ...styles.value.map((style) => style.name)]}
          onChange={(next) => set({ name: next, ...textsOf(next) })}
        />
      )}
      <Field label={t("styleName")} value={name} maxLength={100} onChange={(text) => set({ name: text })} />
      <TextArea
        label={label("prompt")}
        hint={t("stylePlace", { place: "{prompt}" })}
        value={prompt}
        onChange={(text) => set({ prompt: text })}
      />
      <TextArea
        label={label("negative_prompt")}
        value={negative_prompt}
        onChange={(text) => set({ negative_prompt: text })}
      />
      <div class="row">
        <Button
          kind="primary"
          icon="save"
          disabled={name.trim() === ""}
          onClick={() => {
            saveStyle({ name: name.trim(), prompt, negative_prompt });
            onClose();
          }}
        >
          {t("saveStyle")}
        </Button>
        <Button
          icon="copy"
          onClick={() =>
            set({ prompt: state.fields.prompt.value, negative_prompt: state.fields.negative_prompt.value })
          }
        >
          {t("takePrompts")}
        </Button>
        {isKnown && (
          <Button
            kind="danger"
            icon="trash"
            onClick={() => {
              deleteStyle(name.trim());
              state.styles.value = state.styles.value.filter((each) => each !== name.trim());
              set({ name: "", prompt: "", negative_prompt: "" });
            }}
          >
            {t("deleteStyle")}
          </Button>
        )}
      </div>
    </Dialog>
  );
}

function textsOf(name: string): { prompt: string; negative_prompt: string } {
  const style = styleNamed(name);
  return { prompt: style?.prompt ?? "", negative_prompt: style?.negative_prompt ?? "" };
}
