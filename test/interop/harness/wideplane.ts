// wideplane as a user runs it: `wideplane up` with a configuration file, in a namespace.

import { writeFileSync } from 'node:fs';
import { mayBeLocal } from '../../../src/cli/local-command.ts';
import { describeFailure, TmshClient } from '../../../src/cli/tmsh-client.ts';
import type { DaemonName } from '../../../src/ipc/daemon-name.ts';
import { DAEMONS } from '../../../src/supervise/daemon-table.ts';
import { IpcClient } from '../../../src/ipc/ipc-client.ts';
import type { ShowRow } from '../../../src/ipc/schema.ts';
import { makeDirectory, type Namespace } from './namespace.ts';
import type { Outcome, Program } from './program.ts';
import { waitFor } from './wait.ts';
import { EXECUTABLE } from '../../support/executable.ts';

export type WideplaneOptions = {
  /** What to run instead of the executable of this checkout. */
  executable?: string;
  /** Which daemons it starts besides configd; default: dataplaned, for each of them takes half a second of a processor. */
  daemons?: readonly DaemonName[];
  /** A command that runs `up`, as nice(1) does. */
  wrapper?: readonly string[];
  /** More arguments of `up`. */
  arguments?: readonly string[];
};

export const ALL_DAEMONS = DAEMONS.map(({ name }) => name);

export class Wideplane {
  readonly namespace: Namespace;
  readonly state: string;
  readonly #command: readonly string[];
  readonly #program: Program;

  private constructor(namespace: Namespace, configuration: string, options: WideplaneOptions) {
    this.namespace = namespace;
    this.state = makeDirectory('state');
    this.#command = [process.execPath, options.executable ?? EXECUTABLE];
    const file = `${makeDirectory('config')}/wideplane.conf`;
    writeFileSync(file, configuration);
    const only = ['--only', (options.daemons ?? ['dataplaned']).join(',')];
    const up = ['up', '--config', file, '--state', this.state, ...only, ...(options.arguments ?? [])];
    this.#program = namespace.start([...(options.wrapper ?? []), ...this.#command, ...up]);
  }

  /** Starts it and waits until both daemons answer. */
  static async start(namespace: Namespace, configuration: string, options: WideplaneOptions = {}): Promise<Wideplane> {
    const wideplane = new Wideplane(namespace, configuration, options);
    await wideplane.#program.expect(/configd ready/, 5);
    await wideplane.#program.expect(/dataplaned ready/, 5);
    return wideplane;
  }

  /** Resolves when listeners answer, which comes after all else. */
  async dnsReady(): Promise<void> {
    await this.#program.expect(/dnsd ready/, 5);
  }

  /** The log so far. */
  get log(): string {
    return this.#program.output;
  }

  /** Waits until the log holds a match. */
  async says(pattern: RegExp): Promise<void> {
    await this.#program.expect(pattern, 2);
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** A subcommand of the executable against this instance, in its namespace. */
  command(...args: string[]): string[] {
    return [...this.#command, ...args, '--state', this.state];
  }

  /** `tmsh -c`: resolves to what it prints; rejects when the command is refused. */
  async tmsh(command: string): Promise<string> {
    const { status, stdout, stderr } = await this.attemptTmsh(command);
    if (status !== 0) throw new Error(`tmsh -c '${command}': status ${status}\n${stdout}${stderr}\n${this.log}`);
    return stdout;
  }

  /** As the executable does it, which would take a third of a second of a processor for each command. */
  async attemptTmsh(command: string): Promise<Outcome> {
    if (mayBeLocal(command) || command.includes('\n')) {
      return this.namespace.attempt(this.command('tmsh', '-c', command));
    }
    const client = new TmshClient(this.state, 'tmsh -c');
    const outcome = { status: 0, stdout: '', stderr: '' };
    try {
      for await (const text of client.run(command)) outcome.stdout += text;
    } catch (error) {
      outcome.status = 1;
      outcome.stderr = describeFailure(error);
    } finally {
      client.close();
    }
    return outcome;
  }

  /** Statistics of objects as dataplaned hands them out: what `tmsh show` renders. */
  async show(type: string, ...names: string[]): Promise<ShowRow[]> {
    const client = await IpcClient.connect(`${this.state}/dataplaned.sock`);
    try {
      const full = names.map((name) => (type === 'net interface' ? name : `/Common/${name}`));
      return (await client.request('show', { type, ...(full.length === 0 ? {} : { names: full }) })).rows;
    } finally {
      client.close();
    }
  }

  /** The process id of a daemon's current incarnation, from the log. */
  daemonPid(daemon: DaemonName): number {
    const starts = [...this.log.matchAll(new RegExp(`${daemon} started.*?pid[=:" ]+(\\d+)`, 'g'))];
    const last = starts.at(-1)?.[1];
    if (last === undefined) throw new Error(`the log names no process id of ${daemon}\n${this.log}`);
    return Number(last);
  }

  /** kill -9; resolves when the supervisor has started it again and it answers. */
  async killDaemon(daemon: DaemonName): Promise<void> {
    const readyBefore = this.#readyCount(daemon);
    process.kill(this.daemonPid(daemon), 'SIGKILL');
    await this.restarted(daemon, readyBefore);
  }

  /** Resolves when the daemon, which has been ready so many times, is ready again. */
  async restarted(daemon: DaemonName, times: number): Promise<void> {
    await waitFor(
      `${daemon} is ready again`,
      5,
      () => this.#readyCount(daemon) > times,
      () => this.log,
    );
  }

  #readyCount(daemon: DaemonName): number {
    return [...this.log.matchAll(new RegExp(`${daemon} ready`, 'g'))].length;
  }

  /** kill -9 of `up` itself. */
  kill(): void {
    this.#program.signal('SIGKILL');
  }

  /** Stops it as Ctrl-C does; resolves to the exit status. */
  stop(): Promise<number> {
    return this.#program.stop('SIGINT', 10);
  }
}
