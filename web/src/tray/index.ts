export { Tray } from "./Tray";
export { track } from "./open";
