// What healthd here says, as records of the mesh: states of virtual servers and pool members, and verdicts that monitors of this machine
// found by probing. When healthd is away its last word goes on, and says after a while that it is old.

import type { Log } from '../../core/log.ts';
import type { Clock } from '../../health/clock.ts';
import { HEALTH_BEAT_MS, type HealthReport, type Measured } from '../../ipc/healthd-schema.ts';
import type { LocalMember, LocalReport, LocalVirtual } from '../../ipc/mesh-schema.ts';
import type { MeshPort } from '../../iquery/mesh-feature.ts';
import { recordKey, type RecordMessage, type RecordOf } from '../../iquery/messages.ts';
import { ReportFollower, type ReportTarget } from '../report-follower.ts';
import type { LoadSource, LoadTarget } from './load-source.ts';

/** Without a word for so long what healthd said is called stale: several beats, and a start of it. */
export const STALE_MS = 10 * HEALTH_BEAT_MS;
const REVIEW_MS = 500;
const MS_PER_SECOND = 1000;

export type LocalRecordsOptions = {
  readonly mesh: MeshPort;
  /** Socket of healthd. */
  readonly healthd: string;
  readonly clock: Clock;
  readonly log: Log;
  /** What virtual servers carry; undefined: nobody counts it. */
  readonly loads?: LoadSource | undefined;
};

export class LocalRecords {
  readonly #options: LocalRecordsOptions;
  readonly #states: ReportFollower<'local-states'>;
  readonly #verdictReports: ReportFollower<'health-reports'>;
  readonly #virtuals = new Map<string, LocalVirtual>();
  readonly #members = new Map<string, LocalMember>();
  readonly #verdicts = new Map<string, Measured>();
  readonly #endLoads: (() => void) | undefined;
  #review: NodeJS.Timeout | undefined;
  /** Of `Clock.now` and of `Clock.wall`, when healthd was heard of last; undefined: never. */
  #heard: { readonly at: number; readonly wall: number } | undefined;
  #isStale = false;

  constructor(options: LocalRecordsOptions) {
    this.#options = options;
    const { healthd: socketPath, log, loads } = options;
    const common = { daemon: 'healthd', socketPath, log } as const;
    this.#states = new ReportFollower({
      ...common,
      method: 'local-states',
      codes: { stale: 'local-stale', fresh: 'local-fresh' },
      target: this.states,
    });
    this.#verdictReports = new ReportFollower({
      ...common,
      method: 'health-reports',
      codes: { stale: 'local-stale', fresh: 'local-fresh' },
      target: this.reports,
    });
    this.#endLoads = loads?.onChanged((changed) => this.#loadsChanged(changed));
  }

  /** Takes states of this machine. */
  readonly states: ReportTarget<LocalReport> = {
    heard: () => this.#wasHeard(),
    take: (pieces, isWhole) => this.#takeStates(pieces, isWhole),
    staleFor: () => this.#staleFor(),
  };

  /** Takes verdicts of its monitors. */
  readonly reports: ReportTarget<HealthReport> = {
    heard: () => this.#wasHeard(),
    take: (pieces, isWhole) => this.#takeVerdicts(pieces, isWhole),
    // That healthd is silent is said once, by who takes states.
    staleFor: () => undefined,
  };

  start(): void {
    this.#states.start();
    this.#verdictReports.start();
    this.#review = setInterval(() => this.review(), REVIEW_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#review);
    this.#endLoads?.();
    await Promise.all([this.#states.stop(), this.#verdictReports.stop()]);
  }

  /** Time has gone by. */
  review(): void {
    const isStale = this.#staleFor() !== undefined;
    if (isStale === this.#isStale) return;
    this.#isStale = isStale;
    for (const virtual of this.#virtuals.values()) this.#publish(this.#virtualRecord(virtual));
    for (const member of this.#members.values()) this.#publish(this.#memberRecord(member));
    for (const verdict of this.#verdicts.values()) this.#publish(this.#verdictRecord(verdict));
  }

  #wasHeard(): void {
    const { clock } = this.#options;
    this.#heard = { at: clock.now(), wall: clock.wall() };
    if (this.#isStale) this.review();
  }

  #staleFor(): number | undefined {
    if (this.#heard === undefined) return undefined;
    const silence = this.#options.clock.now() - this.#heard.at;
    return silence >= STALE_MS ? silence / MS_PER_SECOND : undefined;
  }

  #takeStates(pieces: readonly LocalReport[], isWhole: boolean): void {
    const { mesh } = this.#options;
    if (isWhole) {
      this.#virtuals.clear();
      this.#members.clear();
    }
    for (const { virtuals, members, goneVirtuals, goneMembers } of pieces) {
      for (const name of goneVirtuals) {
        if (this.#virtuals.delete(name)) mesh.forget('vs', name);
      }
      for (const name of goneMembers) {
        const member = this.#members.get(name);
        this.#members.delete(name);
        if (member !== undefined) mesh.forget('pool_member', recordKey(this.#memberRecord(member)));
      }
      for (const virtual of virtuals) this.#virtuals.set(virtual.name, virtual);
      for (const member of members) this.#members.set(`${member.pool} ${member.member}`, member);
      if (isWhole) continue;
      for (const virtual of virtuals) this.#publish(this.#virtualRecord(virtual));
      for (const member of members) this.#publish(this.#memberRecord(member));
    }
    if (isWhole) {
      mesh.publishAll(
        'vs',
        [...this.#virtuals.values()].map((virtual) => this.#virtualRecord(virtual)),
      );
      mesh.publishAll(
        'pool_member',
        [...this.#members.values()].map((member) => this.#memberRecord(member)),
      );
    }
    if (isWhole || pieces.some(({ virtuals, goneVirtuals }) => virtuals.length > 0 || goneVirtuals.length > 0)) {
      this.#options.loads?.want([...this.#virtuals.values()].map(({ address, port }) => ({ address, port })));
    }
  }

  #takeVerdicts(pieces: readonly HealthReport[], isWhole: boolean): void {
    const { mesh } = this.#options;
    if (isWhole) this.#verdicts.clear();
    for (const { measured, forgotten } of pieces) {
      const others = measured.filter(({ isOwn }) => isOwn !== true);
      for (const each of [...forgotten, ...others]) {
        if (this.#verdicts.delete(`${each.kind} ${each.key}`)) mesh.forget('verdict', `${each.kind}\t${each.key}`);
      }
      for (const each of measured) {
        if (each.isOwn !== true) continue;
        this.#verdicts.set(`${each.kind} ${each.key}`, each);
        if (!isWhole) this.#publish(this.#verdictRecord(each));
      }
    }
    if (isWhole) {
      mesh.publishAll(
        'verdict',
        [...this.#verdicts.values()].map((verdict) => this.#verdictRecord(verdict)),
      );
    }
  }

  #loadsChanged(changed: readonly LoadTarget[]): void {
    const keys = new Set(changed.map(({ address, port }) => `${address} ${port}`));
    for (const virtual of this.#virtuals.values()) {
      if (keys.has(`${virtual.address} ${virtual.port}`)) this.#publish(this.#virtualRecord(virtual));
    }
  }

  #publish(record: RecordMessage): void {
    this.#options.mesh.publish(record);
  }

  #virtualRecord({ reason, ...virtual }: LocalVirtual): RecordOf<'vs'> {
    const { address, port } = virtual;
    return { message: 'vs', ...virtual, reason: this.#aged(reason), ...this.#options.loads?.loadOf({ address, port }) };
  }

  #memberRecord({ reason, ...member }: LocalMember): RecordOf<'pool_member'> {
    return { message: 'pool_member', ...member, reason: this.#aged(reason) };
  }

  #verdictRecord({ kind, key, status, reason, since, goodFor }: Measured): RecordOf<'verdict'> {
    const good = Math.ceil(goodFor);
    return { message: 'verdict', kind, name: key, status, reason: this.#aged(reason), since, good_for: good };
  }

  #aged(reason: string): string {
    if (!this.#isStale || this.#heard === undefined) return reason;
    const at = new Date(this.#heard.wall).toISOString().slice(0, 19).replace('T', ' ');
    return `${reason} (stale: healthd there has not been heard since ${at} UTC)`;
  }
}
