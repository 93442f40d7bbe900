// What virtual servers and pool members of this machine are worth, for iqueryd, who tells other machines.

import type { Clock } from '../../health/clock.ts';
import type { LtmAvailability, LtmMemberStatus, LtmVirtualStatus } from '../../health/ltm-availability.ts';
import type { LtmDescription, LtmPool, LtmVirtual } from '../../health/ltm-description.ts';
import type { LtmStatus } from '../../health/ltm-status.ts';
import type { LocalMember, LocalReport, LocalVirtual } from '../../ipc/mesh-schema.ts';
import { ReportPublisher } from '../report-publisher.ts';

/** Things of one report. */
const PER_REPORT = 100;

type Local =
  { readonly kind: 'virtual'; readonly said: LocalVirtual } | { readonly kind: 'member'; readonly said: LocalMember };
type Named = { readonly kind: Local['kind']; readonly said: { readonly name: string } | MemberName };
type MemberName = Pick<LocalMember, 'pool' | 'member'>;

export type LocalPublisher = ReportPublisher<Local, Named, LocalReport>;

const nameOf = (said: Named['said']): string => ('pool' in said ? `${said.pool} ${said.member}` : said.name);
const keyOf = ({ kind, said }: Named): string => `${kind} ${nameOf(said)}`;

export class LocalStates {
  readonly publisher: LocalPublisher;
  readonly #clock: Clock;
  #known: ReadonlyMap<string, Local> = new Map();
  #ltm: LtmDescription = { nodes: [], pools: [], virtuals: [] };
  #availability: LtmAvailability | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.publisher = new ReportPublisher<Local, Named, LocalReport>({
      all: () => this.#known.values(),
      keyOf,
      reportOf: (said, gone, place) => ({
        ...place,
        virtuals: said.flatMap((each) => (each.kind === 'virtual' ? [each.said] : [])),
        members: said.flatMap((each) => (each.kind === 'member' ? [each.said] : [])),
        goneVirtuals: gone.flatMap(({ kind, said: name }) => (kind === 'virtual' ? [nameOf(name)] : [])),
        goneMembers: gone.flatMap(({ kind, said: name }) => (kind === 'member' ? [nameOf(name)] : [])),
      }),
      perReport: PER_REPORT,
    });
  }

  /** Goes over to a configuration. */
  want(ltm: LtmDescription, availability: LtmAvailability): void {
    this.#ltm = ltm;
    this.#availability = availability;
    const before = this.#known;
    const known = new Map<string, Local>();
    for (const each of this.#look(undefined)) known.set(keyOf(each), each);
    this.#known = known;
    const changed = [...known].flatMap(([key, each]) => (before.get(key) === each ? [] : [each]));
    const gone = [...before].flatMap(([key, each]) => (known.has(key) ? [] : [each]));
    if (changed.length > 0 || gone.length > 0) this.publisher.publish(changed, gone);
  }

  /** What is known of members of these pools may be other than before. */
  poolsChanged(pools: ReadonlySet<string>): void {
    const known = new Map(this.#known);
    const changed: Local[] = [];
    for (const each of this.#look(pools)) {
      const key = keyOf(each);
      if (known.get(key) === each) continue;
      known.set(key, each);
      changed.push(each);
    }
    this.#known = known;
    if (changed.length > 0) this.publisher.publish(changed);
  }

  /** Of these pools, or of all; what is the same as before is the same object. */
  *#look(pools: ReadonlySet<string> | undefined): Generator<Local, void> {
    const availability = this.#availability!;
    for (const virtual of this.#ltm.virtuals) {
      if (pools !== undefined && (virtual.pool === undefined || !pools.has(virtual.pool))) continue;
      const status = availability.virtual(virtual.name);
      if (status !== undefined) yield this.#virtual(virtual, status);
    }
    for (const pool of this.#ltm.pools) {
      if (pools !== undefined && !pools.has(pool.name)) continue;
      for (const member of availability.pool(pool.name)?.members ?? []) yield this.#member(pool, member);
    }
  }

  #virtual({ name, address, port }: LtmVirtual, status: LtmVirtualStatus): Local {
    const before = this.#known.get(`virtual ${name}`);
    const said = { name, address, port, ...this.#status(before, status), score: status.gtmScore };
    return before?.kind === 'virtual' && isSame(before.said, said) ? before : { kind: 'virtual', said };
  }

  #member({ name: pool }: LtmPool, status: LtmMemberStatus): Local {
    const { name: member, address, port } = status.member;
    const before = this.#known.get(`member ${pool} ${member}`);
    const said = { pool, member, address, port, ...this.#status(before, status) };
    return before?.kind === 'member' && isSame(before.said, said) ? before : { kind: 'member', said };
  }

  #status(before: Local | undefined, { availability, enabled, reason }: LtmStatus) {
    const isUnchanged = before?.said.availability === availability && before.said.state === enabled;
    const since = isUnchanged ? before.said.since : this.#clock.wall();
    return { availability, state: enabled, reason, since };
  }
}

function isSame<T extends object>(a: T, b: T): boolean {
  return (Object.keys(b) as (keyof T)[]).every((key) => a[key] === b[key]);
}
