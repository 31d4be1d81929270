/** The costs of a month: by endpoint, by owner, overhead and total, and the budgets. An artist sees the own jobs. */

import { useEffect, useRef } from "preact/hooks";

import type { MonthCosts } from "../api";
import { go, hashOf, route } from "../app/route";
import { month as monthName, when } from "../texts";
import { Button, Empty, Notice, Progress, Select, type PageProps } from "../ui";
import { Budgets } from "./Budgets";
import { isPresent } from "./budget";
import { EndpointCosts, OwnerCosts, Totals } from "./Parts";
import { monthIn, monthOf, months } from "./months";
import { follow, isAsking, refresh, shown } from "./store";
import { t } from "./texts";
import "./costs.css";

export function Costs({ active }: PageProps) {
  const month = useMonth();
  useEffect(() => (active ? follow(month) : undefined), [active, month]);
  // Until the other month is asked for, what is known belongs to the one before.
  const { costs, problem } = shown.value.month === month ? shown.value : { costs: null, problem: null };
  return (
    <section class="stack" aria-label={t("title")}>
      <div class="costs-head">
        <p class="muted">{t("explained")}</p>
        <div class="costs-choice">
          <MonthChoice month={month} told={costs?.month ?? null} />
          <Button icon="refresh" label={t("refresh")} busy={isAsking.value} onClick={() => void refresh()} />
        </div>
      </div>
      {problem && <Notice kind="error">{problem}</Notice>}
      {!costs && !problem && <Progress label={t("asking")} />}
      {costs && <Month costs={costs} />}
    </section>
  );
}

/** The month of the address; while another page is in sight, the one that this page was left with. */
function useMonth(): string | null {
  const last = useRef<string | null>(null);
  if (route.value.path[0] === "costs") last.current = monthIn(route.value.query);
  return last.current;
}

function MonthChoice({ month, told }: { month: string | null; told: string | null }) {
  const now = new Date();
  const chosen = month ?? told ?? monthOf(now);
  const choose = (name: string) =>
    go(hashOf(["costs"], name === monthOf(now) ? undefined : new URLSearchParams({ month: name })));
  return (
    <Select
      label={t("month")}
      value={chosen}
      options={months(now, chosen).map((value) => ({ value, label: monthName(value) }))}
      onChange={choose}
    />
  );
}

function Month({ costs }: { costs: MonthCosts }) {
  const isAll = costs.overhead !== null;
  const isEmpty = costs.jobs === 0 && costs.endpoints.length === 0;
  return (
    <>
      {isEmpty ? (
        <Empty icon="cloud">{t(isAll ? "nothing" : "nothingOwn", { month: monthName(costs.month) })}</Empty>
      ) : (
        <Totals costs={costs} />
      )}
      {!costs.exact && <Notice kind="warning">{t("inexact")}</Notice>}
      {isPresent(costs) && <Budgets costs={costs} />}
      {isAll && costs.endpoints.length > 0 && <EndpointCosts endpoints={costs.endpoints} />}
      {!isEmpty && <OwnerCosts owners={costs.owners} isAll={isAll} />}
      <Notice>
        <p>{t("leftOut")}</p>
        <p class="muted">{t("asOf", { moment: when(costs.as_of) })}</p>
      </Notice>
    </>
  );
}
