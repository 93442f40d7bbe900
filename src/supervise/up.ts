// `wideplane up`: starts the daemons, keeps them running, cares for the devices, and ends in order.
//
// 1. The state directory, its lock, and what a killed predecessor left on devices.
// 2. The guardian, before anything is changed that it would have to undo.
// 3. The daemons in the order of their table, each when the one before answers.
// 4. Until a signal: restarts. Then the daemons stop in reverse order, devices are given back, the guardian leaves.

import { chownSync, existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorText } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { IpcError } from '../ipc/ipc-error.ts';
import { IpcServer } from '../ipc/ipc-server.ts';
import { parseCapabilities, setprivArguments, type Account, type ProcessCapabilities } from './capability.ts';
import { DaemonProcess, RESTART_SIGNAL } from './daemon-process.ts';
import { daemonSocket, type DaemonEntry } from './daemon-table.ts';
import { currentPlace, DeviceJournal } from './device-journal.ts';
import { DeviceKeeper } from './device-keeper.ts';
import { Guardian } from './guardian.ts';
import { canUse, chooseIdentity, type Identity } from './identity.ts';
import { missingPrivileges } from './privilege-report.ts';
import { sendPacketSocket, sendSocket } from './sent-sockets.ts';
import { giveStateTo, makeStateDirectory, stateLayout, type StateLayout } from './state-directory.ts';
import { lockState } from './state-lock.ts';
import { notifySystemd } from './systemd-notify.ts';

export type UpOptions = {
  /** Absolute path. */
  state: string;
  /** Absolute path of a configuration that configd loads; undefined: what it has saved. */
  config: string | undefined;
  force: boolean;
  daemons: readonly DaemonEntry[];
  /** The command that runs one daemon; its first word is a program, its second a script that must be readable. */
  daemonCommand: (daemon: DaemonEntry) => readonly string[];
  /** The command that restores devices, for the guardian. */
  restoreCommand: readonly string[];
  /** Starts what gives warnings about the configuration, once configd is to be had. */
  advise?: (host: AdvisedHost) => Advisor;
  /** A line of a daemon's output. */
  relay: (daemon: string, line: string, fromStderr: boolean) => void;
  log: Log;
};

const ROOT: Account = { name: 'root', uid: 0, gid: 0 };

/** What an adviser works with. */
export type AdvisedHost = {
  configdSocket: string;
  keeper: DeviceKeeper;
  log: Log;
};

export type Advisor = { stop: () => Promise<void> };

/** How often to look whether taken devices still are. Two short-lived helpers every time. */
const AUDIT_MS = 10_000;

/** How long a daemon may delay the start of the next one. */
const START_PATIENCE_MS = 3000;

/** How long somebody who restarts a daemon waits until it answers. */
const CONTROL_PATIENCE_MS = 10_000;
/** Enough for an answer to be on its way before the one who gets it is ended. */
const ANSWER_MS = 200;

/** Runs until a signal asks for the end. Resolves to the exit status; rejects when it cannot start at all. */
export async function runUp(options: UpOptions): Promise<number> {
  const { log } = options;
  if (options.config !== undefined && !existsSync(options.config)) {
    throw new Error(`${options.config}: there is no such file; name the configuration with --config, or leave it out`);
  }
  const layout = stateLayout(options.state);
  makeStateDirectory(layout);
  const lock = await lockState(layout.lock, layout.state);
  const journal = new DeviceJournal(layout.deviceJournal, currentPlace());
  const guardian = new Guardian(options.restoreCommand, lock.descriptor, log);
  const keeper = new DeviceKeeper({ journal, force: options.force, log });
  try {
    const unusable = journal.load();
    if (unusable !== undefined) log.warn(unusable);
    if (keeper.hasChanges) log.warn('a former run was killed: its devices are given back first');
    await keeper.restoreAll();
    guardian.start();
    const status = await superviseDaemons(options, layout, keeper);
    log.info('all daemons have stopped');
    return status;
  } finally {
    await keeper.restoreAll();
    await guardian.dismiss();
    lock.release();
  }
}

async function superviseDaemons(options: UpOptions, layout: StateLayout, keeper: DeviceKeeper): Promise<number> {
  const { log, daemons } = options;
  const begunMs = Date.now();
  const held = parseCapabilities(readFileSync('/proc/self/status', 'utf8'));
  const identity = await settleIdentity(options, layout, held);
  const isRoot = process.geteuid?.() === 0;
  for (const missing of missingPrivileges(held, daemons, isRoot)) log.warn(missing);

  const ending = { begun: false };
  let finish: (status: number) => void = () => undefined;
  const finished = new Promise<number>((resolve) => {
    finish = (status) => {
      ending.begun = true;
      resolve(status);
    };
  });
  const environment = { ...process.env };
  delete environment.NOTIFY_SOCKET;
  const processes = daemons.map(
    (daemon) =>
      new DaemonProcess(
        {
          name: daemon.name,
          command: [
            'setpriv',
            ...setprivArguments({ held, wanted: daemon.capabilities, account: identity.account }),
            '--',
            ...options.daemonCommand(daemon),
          ],
          environment,
          socket: daemonSocket(options.state, daemon.name),
        },
        {
          line: (line, fromStderr) => options.relay(daemon.name, line, fromStderr),
          refused: () => finish(1),
          ended: () => {
            keeper.daemonEnded(daemon.name).catch((error: unknown) => log.error(errorText(error)));
          },
        },
        log,
      ),
  );

  const server = new IpcServer(
    layout.socket,
    {
      'prepare-device': (request) => keeper.prepare(request),
      'retain-devices': async ({ devices }) => {
        await keeper.retain(devices);
        return null;
      },
      'set-host-paths': async ({ paths }) => ({ paths: await keeper.setHostPaths(paths) }),
      'open-server-socket': (params) => sendSocket(keeper.devices, params, layout.inbox),
      'open-packet-socket': (params) => sendPacketSocket(keeper.devices, params, layout.inbox),
      'set-query-rules': async ({ daemon, rules }) => ({ rules: await keeper.setQueryRules(daemon, rules) }),
      'set-next-hops': async ({ daemon, hops }) => ({ hops: await keeper.setNextHops(daemon, hops) }),
      'host-sockets': async () => ({ sockets: await keeper.hostSockets() }),
      'control-daemon': async ({ daemon: name, action }) => {
        const daemon = processes[daemons.findIndex((each) => each.name === name)];
        if (daemon === undefined) throw new IpcError('refused', `no ${name} belongs to this wideplane`);
        const before = daemon.report().pid;
        const isRunning = before !== undefined;
        const change = async (): Promise<void> => {
          if (action === 'start' && isRunning) return;
          // Also one that waits to be started again.
          await daemon.stop(name === 'configd' ? RESTART_SIGNAL : 'SIGTERM');
          if (action === 'stop' || ending.begun) return;
          await Promise.race([daemon.start(), finished, delay(CONTROL_PATIENCE_MS)]);
        };
        log.info(`${name}: ${action}, as somebody asked`);
        if (name === 'configd' && action === 'restart') {
          // It waits for the answer.
          setTimeout(() => void change(), ANSWER_MS);
          return { ...(before === undefined ? {} : { before }), isLater: true };
        }
        await change();
        const { pid: after, state } = daemon.report();
        if (action !== 'stop' && state !== 'ready') {
          const hint = `after ${CONTROL_PATIENCE_MS / 1000} s: show sys service says what happened to it`;
          throw new IpcError('failed', `${name} does not answer ${hint}`);
        }
        return { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
      },
      'show-processes': () => ({
        daemons: processes.map((daemon) => daemon.report()),
        supervisor: { pid: process.pid, sinceMs: begunMs, memoryOctets: process.memoryUsage.rss() },
        devices: keeper.devices.map((entry) => ({ interface: entry.interface, device: entry.device })),
      }),
    },
    log,
  );
  await server.listen();
  if (identity.account) chownSync(layout.socket, identity.account.uid, identity.account.gid);

  const audits = setInterval(() => {
    keeper.audit().catch((error: unknown) => log.debug(`no look at the devices: ${errorText(error)}`));
  }, AUDIT_MS);

  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals++;
    if (signals === 1) {
      log.info(`${signal}: stopping`);
      finish(0);
    } else {
      log.warn(`${signal} again: the daemons are killed`);
      for (const daemon of processes) daemon.kill();
    }
  };
  const caught: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of caught) process.on(signal, onSignal);

  let advisor: Advisor | undefined;
  const started = (async () => {
    for (const daemon of processes) {
      if (ending.begun) return;
      await Promise.race([daemon.start(), finished, delay(START_PATIENCE_MS)]);
    }
    advisor = options.advise?.({
      configdSocket: daemonSocket(options.state, 'configd'),
      keeper,
      log,
    });
    await notifySystemd('--ready', '--status=all daemons are running');
  })();
  const status = await finished;
  await started;
  await notifySystemd('STOPPING=1');
  for (const daemon of [...processes].reverse()) await daemon.stop();
  clearInterval(audits);
  await server.close();
  await advisor?.stop();
  for (const signal of caught) process.off(signal, onSignal);
  return status;
}

/** As whom the daemons run; makes the state directory theirs. Throws when they could not read what they need. */
async function settleIdentity(options: UpOptions, layout: StateLayout, held: ProcessCapabilities): Promise<Identity> {
  const [program, script] = options.daemonCommand(options.daemons[0]!);
  let identity: Identity = { account: undefined };
  if (process.geteuid?.() === 0) {
    const choice = await chooseIdentity(held, program!, script!);
    if ('refusal' in choice) throw new Error(choice.refusal);
    identity = choice.identity;
    const { account } = identity;
    const names = options.daemons.map((daemon) => daemon.name);
    giveStateTo(layout, account ?? ROOT, names);
    options.log.info(`the daemons run as ${account ? `account ${account.name}` : 'root without its capabilities'}`);
  }
  const who = `configd, which runs as ${identity.account?.name ?? (process.geteuid?.() === 0 ? 'root without capabilities' : 'you')},`;
  for (const path of options.config === undefined ? [options.state] : [options.state, options.config]) {
    if (await canUse(held, identity.account, [['-r', path]])) continue;
    throw new Error(
      `${path}: ${who} cannot read it: make it readable ("chmod"; directories above it need x), or put it elsewhere`,
    );
  }
  if (options.config !== undefined && !(await canUse(held, identity.account, [['-w', dirname(options.config)]]))) {
    options.log.warn(
      `${options.config}: ${who} cannot write to its directory, so "save sys config" will fail; ` +
        'start without --config to keep the configuration in the state directory',
    );
  }
  return identity;
}

const delay = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
