import type { JobLine } from "../api";
import { go, hashOf } from "../app/route";
import { when } from "../texts";
import { statusName, typeWord } from "../tray";
import { Button, Chip, copyText } from "../ui";
import { each, write, without, type Filters, type Name } from "./filters";
import { t } from "./texts";

/** Goes to the history with these filters. */
export function show(filters: Filters): void {
  go(hashOf(["history"], write(filters)));
}

/** The filters that are in force, each with a button that takes it away. */
export function Chips({ filters }: { filters: Filters }) {
  const conditions = each(filters);
  if (conditions.length === 0) return null;
  return (
    <div class="history-chips">
      {conditions.map(({ name, value }) => (
        <Chip key={`${name}=${value}`} onRemove={() => show(without(filters, name, value))}>
          {`${t(name)}: ${worded(name, value)}`}
        </Chip>
      ))}
      <Button kind="quiet" icon="link" onClick={() => void copyText(location.href, t("linkCopied"))}>
        {t("copyLink")}
      </Button>
    </div>
  );
}

function worded(name: Name, value: string): string {
  if (name === "type") return typeWord(value as JobLine["type"]);
  if (name === "status") return statusName(value as JobLine["status"]);
  const moment = name === "from" || name === "to" ? new Date(value) : null;
  return moment && !Number.isNaN(moment.getTime()) ? when(value) : value;
}
