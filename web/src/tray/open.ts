/** Puts a job into the tray, where its progress is shown until it has ended. */
export function track(_id: string): void {}
