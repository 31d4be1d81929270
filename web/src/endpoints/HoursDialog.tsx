/** The working hours of an endpoint, with what they cost in a month. */

import { useSignal } from "@preact/signals";

import { api, useAttempt, type Endpoint, type Hours } from "../api";
import { weekdays } from "../texts";
import { Button, Checkbox, Dialog, DialogButtons, Field, Notice, toast } from "../ui";
import { priceWords } from "./Awake";
import { costOf, DAYS, hoursAMonth, hoursFault, type Day } from "./hours";
import { told } from "./store";
import { t } from "./texts";

/** Office hours where the browser is. */
function proposed(): Hours {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return { days: ["mon", "tue", "wed", "thu", "fri"], from: "09:00", to: "18:00", time_zone: zone };
}

function given({ hours }: Endpoint): Hours {
  if (!hours) return proposed();
  return { days: hours.days, from: hours.from, to: hours.to, time_zone: hours.time_zone };
}

export function HoursDialog({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const hours = useSignal<Hours>(given(endpoint));
  const { busy, problem, run } = useAttempt();
  const set = (change: Partial<Hours>) => (hours.value = { ...hours.value, ...change });
  const choose = (day: Day, on: boolean) =>
    set({ days: DAYS.filter((each) => (each === day ? on : hours.value.days.includes(each))) });
  const save = async (wanted: Hours | null) => {
    told(await api.endpoints.scale(endpoint.name, { hours: wanted }));
    toast(t("hoursSaved", { name: endpoint.name }));
    onClose();
  };
  const fault = hoursFault(hours.value);
  const amount = hoursAMonth(hours.value);
  const names = weekdays();
  return (
    <Dialog title={t("hoursOf", { name: endpoint.name })} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (!fault) void run(() => save({ ...hours.value, time_zone: hours.value.time_zone.trim() }));
        }}
      >
        <p class="muted">{t("hoursExplained")}</p>
        <div class="endpoint-days">
          {DAYS.map((day, index) => (
            <Checkbox
              key={day}
              label={names[index] ?? day}
              checked={hours.value.days.includes(day)}
              onChange={(on) => choose(day, on)}
            />
          ))}
        </div>
        <Field type="time" label={t("hoursFrom")} value={hours.value.from} onChange={(from) => set({ from })} />
        <Field
          label={t("hoursTo")}
          value={hours.value.to}
          hint={t("hoursToHint")}
          maxLength={5}
          onChange={(to) => set({ to })}
        />
        <Field label={t("timeZone")} value={hours.value.time_zone} onChange={(zone) => set({ time_zone: zone })} />
        <Notice kind={fault ? "warning" : "info"}>
          {fault ? t(fault) : t("hoursCost", { n: Math.round(amount), price: priceWords(costOf(endpoint, amount)) })}
        </Notice>
        {problem.value && <Notice kind="error">{problem.value}</Notice>}
        <DialogButtons onCancel={onClose}>
          {endpoint.hours && (
            <Button busy={busy.value} onClick={() => void run(() => save(null))}>
              {t("takeHours")}
            </Button>
          )}
          <Button type="submit" kind="primary" busy={busy.value} disabled={fault !== null}>
            {t("saveHours")}
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  );
}
