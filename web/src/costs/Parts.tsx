/** The parts of a month's costs: the total, endpoints, and owners. */

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

import type { EndpointCost, MonthCosts, OwnerCost } from "../api";
import { hours, number, price } from "../texts";
import { Notice } from "../ui";
import { t } from "./texts";
import { doubts, typeWords } from "./words";

export function Totals({ costs }: { costs: MonthCosts }) {
  const { overhead } = costs;
  return (
    <dl class="panel cost-facts cost-totals">
      <Fact name={overhead ? t("total") : t("ownTotal")}>{price(costs.total)}</Fact>
      {overhead && <Fact name={t("jobsCost")}>{price(costs.jobs_cost)}</Fact>}
      {overhead && <Fact name={t("waking")}>{price(overhead.waking)}</Fact>}
      {overhead && <Fact name={t("idle")}>{price(overhead.idle)}</Fact>}
      {overhead && <Fact name={t("overhead")}>{price(overhead.cost)}</Fact>}
      <Fact name={t("jobs")}>{number(costs.jobs)}</Fact>
    </dl>
  );
}

export function EndpointCosts({ endpoints }: { endpoints: readonly EndpointCost[] }) {
  const id = useId();
  return (
    <section class="stack" aria-labelledby={id}>
      <h2 id={id}>{t("endpoints")}</h2>
      <ul class="cost-list">
        {endpoints.map((endpoint) => (
          <EndpointRow key={endpoint.name} endpoint={endpoint} />
        ))}
      </ul>
    </section>
  );
}

function EndpointRow({ endpoint }: { endpoint: EndpointCost }) {
  const { types } = endpoint;
  return (
    <li class="panel cost-endpoint">
      <div class="cost-top">
        <h3>{endpoint.name || t("nowhere")}</h3>
        <strong>{price(endpoint.cost)}</strong>
      </div>
      {types.length > 0 ? (
        <ul class="cost-types">
          {types.map((type) => (
            <li key={type.instance_type}>{typeWords(type)}</li>
          ))}
        </ul>
      ) : (
        <p class="muted">{t(endpoint.name ? "notMetered" : "nowhereMeans")}</p>
      )}
      {endpoint.unpriced && <Notice kind="warning">{t("unpriced")}</Notice>}
      <dl class="cost-facts">
        <Fact name={t("awake")}>{hours(endpoint.awake_hours)}</Fact>
        <Fact name={t("jobs")}>{number(endpoint.jobs)}</Fact>
        <Fact name={t("jobsCost")}>{price(endpoint.jobs_cost)}</Fact>
        <Fact name={t("waking")}>{price(endpoint.waking)}</Fact>
        <Fact name={t("idle")}>{price(endpoint.idle)}</Fact>
      </dl>
    </li>
  );
}

export function OwnerCosts({ owners, isAll }: { owners: readonly OwnerCost[]; isAll: boolean }) {
  const id = useId();
  return (
    <section class="stack" aria-labelledby={id}>
      <h2 id={id}>{t(isAll ? "owners" : "ownJobs")}</h2>
      {owners.length === 0 ? (
        <p class="muted">{t("noOwners")}</p>
      ) : (
        <table class="panel cost-owners">
          <thead>
            <tr>
              <th scope="col">{t("owner")}</th>
              <th scope="col">{t("jobs")}</th>
              <th scope="col">{t("cost")}</th>
            </tr>
          </thead>
          <tbody>
            {owners.map((owner) => (
              <tr key={owner.owner}>
                <th scope="row">
                  {owner.owner}
                  {doubts(owner).map((words) => (
                    <p key={words} class="hint">
                      {words}
                    </p>
                  ))}
                </th>
                <td>{number(owner.jobs)}</td>
                <td>{price(owner.cost)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
