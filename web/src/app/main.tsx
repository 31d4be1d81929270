import { render } from "preact";
import { api, mend, Problem } from "../api";
import "../ui";
import { Frame } from "./Frame";
import { followAddress } from "./route";
import { startSettings } from "./settings";

startSettings();
followAddress();
mend(() =>
  api.ping().then(
    () => true,
    (fault: unknown) => fault instanceof Problem && fault.status !== 0,
  ),
);
render(<Frame />, document.body);
