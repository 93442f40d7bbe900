// The life of a daemon that follows the configuration: it serves requests from its first configuration on, until it is asked to end.

import type { ConfigSubscriber } from '../assembly/config-subscriber.ts';
import { logEvent } from '../core/log-codes.ts';
import type { Log, LogFields } from '../core/log.ts';
import type { IpcServer } from '../ipc/ipc-server.ts';

/** The end of the process: who asks for it first says with which exit status. */
export type End = {
  readonly ask: (status: number) => void;
  readonly asked: Promise<number>;
};

/** An end that SIGINT and SIGTERM ask for, with status 0. */
export function endBySignal(): End {
  let ask: (status: number) => void = () => undefined;
  const asked = new Promise<number>((resolve) => (ask = resolve));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ask(0));
  return { ask, asked };
}

export type ServedDaemon = {
  readonly name: string;
  readonly subscriber: ConfigSubscriber;
  readonly server: IpcServer;
  readonly log: Log;
  /** What it does, for the line at its start. */
  readonly summary?: () => string;
  readonly fields?: LogFields;
};

/** Serves until the end is asked for, also where there is no configuration yet; resolves to the exit status. */
export async function serveUntil(
  end: End,
  { name, subscriber, server, log, ...daemon }: ServedDaemon,
): Promise<number> {
  const isEarly = await Promise.race([subscriber.start().then(() => false), end.asked.then(() => true)]);
  if (!isEarly) {
    await server.listen();
    const summary = daemon.summary === undefined ? '' : `; ${daemon.summary()}`;
    logEvent(log, 'daemon-started', `${name} serves ${server.path}${summary}`, daemon.fields);
  }
  const status = await end.asked;
  logEvent(log, 'daemon-stopping', `${name} stops`);
  await server.close();
  await subscriber.stop();
  return status;
}
