/** Keeping an endpoint awake with what that costs, its working hours, and how long its last wake-ups took. */

import { useSignal } from "@preact/signals";

import { api, useAttempt, type Endpoint, type EndpointShown } from "../api";
import { price, roughly, when } from "../texts";
import { usualWords } from "../tray";
import { Button, Notice, toast } from "../ui";
import { costOf, hoursWords } from "./hours";
import { takesJobs } from "./state";
import { refresh, told } from "./store";
import { t } from "./texts";

const CHOICES = [1, 2, 4, 8] as const;

export function Awake({ endpoint, onHours }: { endpoint: Endpoint; onHours: () => void }) {
  const { busy, problem, run } = useAttempt();
  const warm = async (hours: number) => {
    const { warm_until: until } = await api.endpoints.warm(endpoint.name, hours);
    toast(t("warmUntil", { time: when(until) }));
    await refresh();
  };
  const end = async () => told(await api.endpoints.endWarm(endpoint.name));
  const working = endpoint.hours;
  return (
    <div class="stack endpoint-awake">
      {endpoint.warm_until && (
        <p class="endpoint-line">
          {t("warmUntil", { time: when(endpoint.warm_until) })}{" "}
          <Button kind="quiet" busy={busy.value} onClick={() => void run(end)}>
            {t("endWarm")}
          </Button>
        </p>
      )}
      <div class="endpoints-warm" role="group" aria-label={t("warm")}>
        <span class="muted">{t("warm")}</span>
        {CHOICES.map((hours) => (
          <Button
            key={hours}
            busy={busy.value}
            disabled={!takesJobs(endpoint) || endpoint.min_instances === null}
            onClick={() => void run(() => warm(hours))}
          >
            {t("warmFor", { n: hours, price: priceWords(costOf(endpoint, hours)) })}
          </Button>
        ))}
      </div>
      <p class="endpoint-line">
        {working
          ? t("hoursAre", { hours: hoursWords(working), price: priceWords(working.dollars_a_month) })
          : t("noHours")}{" "}
        <Button kind="quiet" disabled={endpoint.deleting || endpoint.min_instances === null} onClick={onHours}>
          {t("setHours")}
        </Button>
      </p>
      {problem.value && <Notice kind="error">{problem.value}</Notice>}
      <WakeUps name={endpoint.name} />
    </div>
  );
}

/** What money reads like; words where no price is known. */
export function priceWords(dollars: number | null): string {
  return dollars === null ? t("priceUnknown") : price(dollars);
}

/** The last wake-ups, asked for when somebody opens them. */
function WakeUps({ name }: { name: string }) {
  const shown = useSignal<EndpointShown | null>(null);
  const { problem, run } = useAttempt();
  const look = async () => {
    shown.value = await api.endpoints.get(name);
  };
  const { forecast, wake_ups: wakeUps = [] } = shown.value ?? {};
  return (
    <details onToggle={(event) => event.currentTarget.open && void run(look)}>
      <summary>{t("wakeUps")}</summary>
      {problem.value && <Notice kind="error">{problem.value}</Notice>}
      {shown.value && <p>{forecast ? usualWords(forecast) : t("noWakeUps")}</p>}
      <ul>
        {wakeUps.slice(0, 5).map(({ asked, seconds }) => (
          <li key={asked}>
            {when(asked)}: {seconds === null ? t("noPictureYet") : t("pictureAfter", { time: roughly(seconds) })}
          </li>
        ))}
      </ul>
    </details>
  );
}
