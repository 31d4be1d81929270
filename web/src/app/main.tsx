import { render } from "preact";
import { api, mend, Problem } from "../api";
import { startForms } from "../generate";
import { startTray } from "../tray";
import "../ui";
import { watchDrops } from "./drop";
import { Frame } from "./Frame";
import { followAddress } from "./route";
import { startSettings } from "./settings";

startSettings();
startForms();
followAddress();
mend(() =>
  api.ping().then(
    () => true,
    (fault: unknown) => fault instanceof Problem && fault.status !== 0,
  ),
);
startTray();
watchDrops();
render(<Frame />, document.body);
