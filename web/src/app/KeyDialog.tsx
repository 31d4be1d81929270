import { useState } from "preact/hooks";
import { asked, checkKey, cleaned, explain, Problem, useKey } from "../api";
import { Button, Checkbox, Dialog, Field } from "../ui";
import { t } from "./texts";

/** Asks for the key, tries it, and takes it into use. What waits for a key goes on by itself. */
export function KeyDialog() {
  const [key, setKey] = useState("");
  const [keep, setKeep] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(asked.value === "refused" ? t("keyRefused") : null);

  const enter = async (event: SubmitEvent) => {
    event.preventDefault();
    const candidate = cleaned(key);
    if (!candidate) return setError(t("keyMissing"));
    setBusy(true);
    try {
      await checkKey(candidate);
      useKey(candidate, keep);
    } catch (fault) {
      setError(fault instanceof Problem && fault.status === 401 ? t("keyRefused") : explain(fault));
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog title={t("keyTitle")}>
      <form class="stack" onSubmit={(event) => void enter(event)}>
        <Field
          label={t("keyLabel")}
          type="password"
          autocomplete="off"
          spellcheck={false}
          autofocus
          value={key}
          error={error}
          hint={t("keyHint")}
          onChange={setKey}
        />
        <Checkbox label={t("keep")} hint={t("keepHint")} checked={keep} onChange={setKeep} />
        <Button type="submit" kind="primary" busy={busy}>
          {t("enter")}
        </Button>
      </form>
    </Dialog>
  );
}
