// Tells systemd how far the service is (sd_notify(3)), by systemd-notify(1): Node.js has no datagram Unix sockets.

import { runCommand } from '../net/helper-program.ts';

/** Does nothing unless systemd asked for it. The unit needs NotifyAccess=all, since a helper speaks for us. */
export async function notifySystemd(...assignments: string[]): Promise<void> {
  if (process.env.NOTIFY_SOCKET === undefined) return;
  await runCommand('systemd-notify', [`--pid=${process.pid}`, ...assignments]);
}
