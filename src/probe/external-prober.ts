// Probes by programs: monitors of type external. Whatever a program prints means that the target is up, as on a BIG-IP, and
// ends it; what it thinks in the end does not matter.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Monitor } from '../health/monitor.ts';
import { type Cancel, MAX_SHOWN, type ProbeOutcome, type ProbePlace, type Verdict } from '../health/probe.ts';
import { Deadline, type Deadlines } from './deadlines.ts';
import { externalCommand, type ExternalCommand, ownRights, type Rights, withoutRights } from './external-command.ts';
import { impossibleLater, tookSince } from './outcome.ts';
import { boundedText, shownOctetText, shownTime } from './shown-text.ts';

/** Programs that run at a time. */
const MOST_RUNNING = 20;
/** Octets of what a program prints that are kept. */
const MOST_KEPT = 512;
/** How a shell, or setpriv, ends that could not run what it should. */
const NOT_RUN = [1, 126, 127];

class ExternalProbe extends Deadline {
  readonly command: ExternalCommand;
  readonly timeout: number;
  readonly #owner: ExternalProber;
  readonly #done: (outcome: ProbeOutcome) => void;
  #started = 0;
  #child: ChildProcess | undefined = undefined;
  #isOver = false;
  #printed = '';
  #complained = '';
  /** How the program ended: its status, or its signal. */
  #end: string | undefined = undefined;

  constructor(command: ExternalCommand, timeout: number, owner: ExternalProber, done: (outcome: ProbeOutcome) => void) {
    super();
    this.command = command;
    this.timeout = timeout;
    this.#owner = owner;
    this.#done = done;
  }

  start(): void {
    this.#started = performance.now();
    const { command, environment, script } = this.command;
    // A process group of its own, which can be ended as a whole.
    const child = spawn(command, this.command.arguments, { cwd: '/', env: environment, detached: true, stdio: 'pipe' });
    this.#child = child;
    child.on('error', (error) => this.#finish('impossible', `cannot run ${command}: ${error.message}`));
    child.stdin.on('error', () => undefined);
    child.stdin.end(script);
    child.stdout.on('error', () => undefined);
    child.stdout.on('data', (chunk: Buffer) => {
      this.#printed = chunk.toString('latin1', 0, MOST_KEPT);
      this.#finish('up', 'the program printed something');
    });
    child.stderr.on('error', () => undefined);
    child.stderr.on('data', (chunk: Buffer) => {
      const room = MOST_KEPT - this.#complained.length;
      if (room > 0) this.#complained += chunk.toString('latin1', 0, Math.min(room, chunk.length));
    });
    child.on('exit', (code, signal) => {
      this.#end = signal ?? `status ${String(code)}`;
      // What it has left behind may hold its output open.
      this.#owner.killGroup(child);
    });
    child.on('close', (code) => {
      if (this.#isOver) return;
      const complaint = this.#complained.split('\n')[0]!;
      if (NOT_RUN.includes(code ?? 0) && /^(?:setpriv|\/bin\/sh|sh): /.test(complaint)) {
        this.#finish('impossible', `cannot run it as nobody: ${shownOctetText(complaint, 200)}`);
      } else this.#ended();
    });
  }

  expire(): void {
    const within = `within ${shownTime(this.timeout)}`;
    if (this.#child === undefined)
      this.#finish('impossible', `${MOST_RUNNING} programs are running, and none ended ${within}`);
    else if (this.#end !== undefined) this.#ended();
    else this.#finish('silent', `the program printed nothing ${within}`);
  }

  cancel(): void {
    if (!this.#isOver) this.#release();
  }

  #ended(): void {
    this.#finish('wrong', `the program printed nothing, and ended with ${this.#end ?? 'no status'}`);
  }

  #finish(verdict: Verdict, reason: string): void {
    if (this.#isOver) return;
    const took = this.#child === undefined ? 0 : tookSince(this.#started);
    this.#release();
    const words = this.command.arguments;
    const sent = boundedText(words.slice(words.indexOf('-s') + 2).join(' '), MAX_SHOWN);
    const received = shownOctetText(this.#printed || this.#complained) || undefined;
    this.#done({ verdict, reason, sent, received, took });
  }

  #release(): void {
    this.#isOver = true;
    const child = this.#child;
    if (child !== undefined) {
      // Once it has ended, its number may be another's.
      if (this.#end === undefined) this.#owner.killGroup(child);
      // One that has left its group must not keep them open.
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.stdin?.destroy();
    }
    this.#owner.released(this);
  }
}

export class ExternalProber {
  readonly #deadlines: Deadlines;
  readonly #rights: Rights;
  readonly #running = new Set<ExternalProbe>();
  readonly #waiting = new Set<ExternalProbe>();

  constructor(deadlines: Deadlines, rights = ownRights()) {
    this.#deadlines = deadlines;
    this.#rights = rights;
  }

  probe(monitor: Monitor, place: ProbePlace, timeout: number, done: (outcome: ProbeOutcome) => void): Cancel {
    const command = externalCommand(monitor, place, this.#rights);
    if (typeof command === 'string') return impossibleLater(command, done);
    const probe = new ExternalProbe(command, timeout, this, done);
    this.#deadlines.add(probe, timeout);
    if (this.#running.size < MOST_RUNNING) this.#run(probe);
    else this.#waiting.add(probe);
    return () => probe.cancel();
  }

  released(probe: ExternalProbe): void {
    this.#deadlines.remove(probe);
    this.#waiting.delete(probe);
    if (!this.#running.delete(probe)) return;
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    // Its time begins when it does.
    this.#deadlines.remove(next);
    this.#deadlines.add(next, next.timeout);
    this.#run(next);
  }

  /** Ends all processes of the group. */
  killGroup({ pid }: ChildProcess): void {
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch (error) {
      // They are somebody else's: nobody's.
      if ((error as NodeJS.ErrnoException).code !== 'EPERM') return;
      const words = [...withoutRights(this.#rights), '/bin/sh', '-c', `kill -s KILL -- -${pid}`];
      spawn('setpriv', words, { cwd: '/', env: {}, stdio: 'ignore' }).on('error', () => undefined);
    }
  }

  /** None of those that wait is to run any more. */
  close(): void {
    for (const probe of this.#waiting) probe.cancel();
    for (const probe of this.#running) probe.cancel();
  }

  #run(probe: ExternalProbe): void {
    this.#running.add(probe);
    probe.start();
  }
}
