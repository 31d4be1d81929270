import { useState } from "preact/hooks";
import { api, explain, newKey, type Job, type JobLine } from "../api";
import { forget, isOpen, remember, track } from "../tray";
import { Button, ConfirmDeletion, toast, type IconName } from "../ui";
import { t } from "./texts";

export interface JobButtonsProps {
  job: JobLine;
  /** icons without words, for a line of a list */
  bare?: boolean;
  onReplayed: (next: Job) => void;
  onRemoved: () => void;
}

type Deed = "replay" | "cancel" | "remove";

/** Replay, Cancel and Delete. */
export function JobButtons({ job, bare = false, onReplayed, onRemoved }: JobButtonsProps) {
  const [busy, setBusy] = useState<Deed | null>(null);
  const [asks, setAsks] = useState(false);
  // One wish, one job: a second try after a fault sends the same key. A replay that was answered gets a new one.
  const [key, setKey] = useState(newKey);

  const deeds: Record<Deed, () => Promise<void>> = {
    replay: async () => {
      const next = await api.jobs.replay(job.id, key);
      setKey(newKey());
      track(next);
      toast(t("replayed"));
      onReplayed(next);
    },
    cancel: async () => remember(await api.jobs.cancel(job.id)),
    remove: async () => {
      await api.jobs.remove(job.id);
      setAsks(false);
      forget(job.id);
      toast(t("removed"));
      onRemoved();
    },
  };
  const run = async (deed: Deed) => {
    setBusy(deed);
    try {
      await deeds[deed]();
    } catch (fault) {
      toast(explain(fault), { kind: "error" });
    } finally {
      setBusy(null);
    }
  };
  const button = (deed: Deed, icon: IconName, act: () => void) => {
    const kind = deed === "remove" && !bare ? "danger" : bare ? "quiet" : "secondary";
    const words = bare ? { label: t(deed) } : { children: t(deed) };
    return <Button icon={icon} kind={kind} busy={busy === deed} onClick={act} {...words} />;
  };

  return (
    <>
      {button("replay", "recycle", () => void run("replay"))}
      {isOpen(job) && button("cancel", "stop", () => void run("cancel"))}
      {button("remove", "trash", () => setAsks(true))}
      {asks && (
        <ConfirmDeletion
          title={t("removeTitle")}
          busy={busy === "remove"}
          keep={t("keepIt")}
          onDelete={() => void run("remove")}
          onClose={() => setAsks(false)}
        >
          <p>{t("removeText")}</p>
          <p class="muted mono">{job.id}</p>
        </ConfirmDeletion>
      )}
    </>
  );
}
