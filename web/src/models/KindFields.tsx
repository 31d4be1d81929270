/** The kind of a file, and what an engine needs it for. */

import type { Signal } from "@preact/signals";

import { Select } from "../ui";
import { kindName, KINDS, purposeName, PURPOSES, type Purpose } from "./kinds";
import { t } from "./texts";
import type { Kind } from "./transfer";

export function KindFields({ kind, purpose }: { kind: Signal<Kind>; purpose: Signal<Purpose> }) {
  return (
    <>
      <Select
        label={t("kind")}
        value={kind.value}
        options={KINDS.map((value) => ({ value, label: kindName(value) }))}
        onChange={(value) => (kind.value = value as Kind)}
      />
      {kind.value === "engine-file" && (
        <Select
          label={t("purpose")}
          value={purpose.value}
          options={PURPOSES.map((value) => ({ value, label: purposeName(value) }))}
          onChange={(value) => (purpose.value = value as Purpose)}
        />
      )}
    </>
  );
}
