export { forgetTray, send, startTray, track } from "./open";
export { ended, isOpen, jobOf, remember, forget } from "./store";
export { Badge } from "./Badge";
export { Tray } from "./Tray";
export { statusName, statusWord, typeWord, usualWords, waitWords } from "./words";
