import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { asked, forgetKey, online } from "../api";
import { Costs } from "../costs";
import { Endpoints } from "../endpoints";
import { Extras, Img2img, Txt2img } from "../generate";
import { History } from "../history";
import { JobPage } from "../job";
import { Models } from "../models";
import { language, LANGUAGES, type Language } from "../texts";
import { forgetTray, Tray } from "../tray";
import { Button, Notice, Select, Tabs, Toasts } from "../ui";
import { KeyDialog } from "./KeyDialog";
import { go, lastPlace, route } from "./route";
import { chooseLanguage, chooseTheme, theme, type Theme } from "./settings";
import { t } from "./texts";
import "./frame.css";

const PAGES = {
  txt2img: Txt2img,
  img2img: Img2img,
  extras: Extras,
  history: History,
  endpoints: Endpoints,
  models: Models,
  costs: Costs,
};
type PageId = keyof typeof PAGES;
const ORDER = Object.keys(PAGES) as PageId[];

/** The tab that a route belongs to; a job belongs to the history. */
export function pageOf(path: readonly string[]): PageId {
  const first = path[0] ?? "";
  if (first === "jobs") return "history";
  return first in PAGES ? (first as PageId) : "txt2img";
}

/** The whole page. Tabs that were seen stay alive, so that nothing which somebody wrote or drew is lost. */
export function Frame() {
  const chosen = pageOf(route.value.path);
  const seen = useSignal<ReadonlySet<PageId>>(new Set([chosen]));
  useEffect(() => {
    if (!seen.value.has(chosen)) seen.value = new Set([...seen.value, chosen]);
  }, [chosen]);
  const job = route.value.path[0] === "jobs" ? route.value.path[1] : undefined;

  const shows = (id: string) => {
    const page = id as PageId;
    if (page !== chosen && !seen.value.has(page)) return null;
    const Page = PAGES[page];
    const covered = page === "history" && job !== undefined;
    return (
      <>
        <div hidden={covered}>
          <Page active={page === chosen && !covered} />
        </div>
        {covered && <JobPage key={job} id={job} />}
      </>
    );
  };

  return (
    <>
      <Header />
      <main>
        <Tabs
          label={t("tabs")}
          tabs={ORDER.map((id) => ({ id, label: t(id) }))}
          chosen={chosen}
          onChoose={(id) => go(chosen === id ? `#/${id}` : lastPlace(id))}
          shows={shows}
        />
      </main>
      <Tray>{!online.value && <Notice kind="warning">{t("offline")}</Notice>}</Tray>
      <Toasts />
      {asked.value !== null && <KeyDialog />}
    </>
  );
}

function Header() {
  return (
    <header class="top">
      <h1>{t("name")}</h1>
      <div class="top-choices">
        <Select
          label={t("language")}
          hideLabel
          value={language.value}
          options={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
          onChange={(next) => chooseLanguage(next as Language)}
        />
        <Select
          label={t("theme")}
          hideLabel
          value={theme.value}
          options={(["system", "light", "dark"] as const).map((value) => ({ value, label: t(value) }))}
          onChange={(next) => chooseTheme(next as Theme)}
        />
        <Button
          icon="key"
          label={t("changeKey")}
          onClick={() => {
            forgetKey();
            forgetTray();
            location.reload();
          }}
        />
      </div>
    </header>
  );
}
