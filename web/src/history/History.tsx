import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { explain } from "../api";
import { route } from "../app/route";
import { ended } from "../tray";
import { Button, Empty, Notice, type PageProps } from "../ui";
import { Chips } from "./Chips";
import { FilterForm } from "./FilterForm";
import { asQuery, each, NONE, read, type Filters } from "./filters";
import { Line } from "./Line";
import { t } from "./texts";
import { useLines } from "./useLines";
import "./history.css";

/** Inference Job History: the newest ten jobs, or all of them; what its filters are stands in the address. */
export function History({ active }: PageProps) {
  const filters = useFilters();
  const all = useSignal(false);
  const lines = useLines(asQuery(filters), active, ended.value?.id);
  const end = useRef<HTMLDivElement>(null);
  const goesOn = lines.next !== null && lines.next !== undefined;

  useEffect(() => {
    if (!active || !all.value || !goesOn || !end.current) return undefined;
    const observer = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && lines.loadMore(), {
      rootMargin: "600px",
    });
    observer.observe(end.current);
    return () => observer.disconnect();
  });

  return (
    <div class="history">
      <header class="history-top">
        <div>
          <h2>{t("title")}</h2>
          <p class="muted">{t("format")}</p>
        </div>
        <Button icon="refresh" label={t("refresh")} busy={lines.busy} onClick={lines.refresh} />
      </header>
      <FilterForm filters={filters} />
      <Chips filters={filters} />
      {lines.fault !== null && (
        <Notice kind="error">
          <p>{explain(lines.fault)}</p>
          <Button onClick={lines.refresh}>{t("retry")}</Button>
        </Notice>
      )}
      <ul class="history-lines" aria-busy={lines.busy}>
        {lines.jobs.map((line) => (
          <Line key={line.id} line={line} onChange={lines.refresh} onRemoved={() => lines.drop(line.id)} />
        ))}
      </ul>
      {lines.next === undefined && lines.fault === null && <p class="muted history-first">{t("loading")}</p>}
      {lines.next === null && lines.jobs.length === 0 && (
        <Empty icon="search">{each(filters).length ? t("nothingFound") : t("nothingYet")}</Empty>
      )}
      <div ref={end} class="history-end">
        {goesOn && (
          <Button
            busy={lines.loading}
            onClick={() => {
              all.value = true;
              lines.loadMore();
            }}
          >
            {all.value ? t("more") : t("showAll")}
          </Button>
        )}
      </div>
    </div>
  );
}

/** The filters of the address; while another page is in sight, those that the history was left with. */
function useFilters(): Filters {
  const last = useRef<Filters>(NONE);
  if (route.value.path[0] === "history") last.current = read(route.value.query);
  return last.current;
}
