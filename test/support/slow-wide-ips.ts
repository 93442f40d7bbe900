// What a wide IP answers, written down once more as it is said in docs/decisions/wide-ips.md: with texts and lists, for the modes that
// neither turns nor chance decide. Nothing of it is shared with what answers.

import type { GtmPool, PoolMember, WideIp, WideIpType } from '../../src/gtm/description.ts';

export type SlowState = {
  /** Up, only for fallback modes, or not at all: by pool and member. */
  readonly health: ReadonlyMap<GtmPool, ReadonlyMap<PoolMember, 'up' | 'down' | 'off'>>;
  readonly disabledPools: ReadonlySet<GtmPool>;
  readonly disabledWideIps: ReadonlySet<WideIp>;
};

/** `none`, `passed`, `dropped`, or the code of the reply and its records, as `WideIpRig.ask` has them. */
export type SlowAnswer = readonly string[];

const TYPES: readonly WideIpType[] = ['a', 'aaaa', 'cname', 'mx', 'naptr', 'srv'];

export class SlowWideIps {
  readonly #wideIps: readonly WideIp[];
  readonly #pools: readonly GtmPool[];
  readonly #state: SlowState;

  constructor(wideIps: readonly WideIp[], pools: readonly GtmPool[], state: SlowState) {
    this.#wideIps = wideIps;
    this.#pools = pools;
    this.#state = state;
  }

  answer(name: string, type: string): SlowAnswer {
    const wideIp = this.find(name, type);
    if (typeof wideIp === 'string') return [wideIp];
    const end = this.#decide(wideIp);
    if (end === 'dropped') return ['dropped'];
    if (end === 'off' || end === 'returned') return ['passed'];
    if (end !== 'nothing') return ['NOERROR aa', ...this.#records(wideIp, name, type, end, [])];
    const { failure } = wideIp;
    if (failure === undefined) return ['passed'];
    const rcode = { 0: 'NOERROR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 5: 'REFUSED' }[failure.rcode]!;
    if (failure.ttl === 0) return [`${rcode} aa`];
    const above = name.includes('.') ? name.slice(name.indexOf('.') + 1) : '.';
    const soa = 'this.name.is.invalid hostmaster.this.name.is.invalid 1 10800 3600 604800';
    return [`${rcode} aa`, `ns ${above} ${failure.ttl} SOA ${soa} ${failure.ttl}`];
  }

  /** The wide IP of a question, or what there is instead. */
  find(name: string, type: string): WideIp | 'none' | 'passed' {
    const own = type.toLowerCase();
    const named = this.#namesOf((text) => text === name);
    const exact = chooseOf(named, own, true);
    if (exact !== undefined) return exact;
    const patterns = this.#namesOf((text) => isPattern(text) && likeness(text).test(name));
    const texts = [...new Set(patterns.map(({ text }) => text))].sort(bySpecificity);
    for (const text of texts) {
      const found = chooseOf(
        patterns.filter((each) => each.text === text),
        own,
        named.length === 0,
      );
      if (found !== undefined) return found;
    }
    const isAbove = this.#namesOf(() => true).some(({ text }) => `.${literalEnd(text)}`.endsWith(`.${name}`));
    return named.length > 0 || texts.length > 0 || isAbove ? 'passed' : 'none';
  }

  /** Names and then aliases that are wanted. */
  #namesOf(isWanted: (text: string) => boolean): { text: string; wideIp: WideIp }[] {
    return [
      ...this.#wideIps.map((wideIp) => ({ text: wideIp.domain, wideIp })),
      ...this.#wideIps.flatMap((wideIp) => wideIp.aliases.map((text) => ({ text, wideIp }))),
    ].filter(({ text }) => isWanted(text));
  }

  #poolOf(type: WideIpType, name: string): GtmPool {
    return this.#pools.find((pool) => pool.type === type && pool.name === name)!;
  }

  #usable(pool: GtmPool): PoolMember[] {
    if (this.#state.disabledPools.has(pool)) return [];
    return pool.members.filter((member) => this.#state.health.get(pool)!.get(member) === 'up');
  }

  #decide(wideIp: WideIp): 'off' | 'nothing' | 'returned' | 'dropped' | Answers {
    if (this.#state.disabledWideIps.has(wideIp)) return 'off';
    const references = [
      ...wideIp.pools.map((reference) => ({ ...reference, type: wideIp.type })),
      ...wideIp.cnamePools.map((reference) => ({ ...reference, type: 'cname' as const })),
    ].sort((a, b) => a.order - b.order);
    const pools = references.map(({ type, pool }) => this.#poolOf(type, pool));
    for (const pool of pools) {
      if (this.#usable(pool).length === 0) continue;
      const end = this.#byModes(pool);
      if (end === 'given up') return 'nothing';
      if (end !== 'nothing') return end;
    }
    if (wideIp.lastResort !== undefined) {
      const pool = this.#poolOf(wideIp.lastResort.type, wideIp.lastResort.pool);
      const end = this.#usable(pool).length === 0 ? 'nothing' : this.#byModes(pool);
      if (end === 'given up') return 'nothing';
      if (end !== 'nothing') return end;
    }
    const enabled = pools.find((pool) => !this.#state.disabledPools.has(pool));
    const end = enabled === undefined ? 'nothing' : this.#byMode(enabled, 'fallback');
    return end === 'given up' ? 'nothing' : end;
  }

  #byModes(pool: GtmPool): 'nothing' | 'given up' | 'returned' | 'dropped' | Answers {
    for (const stage of ['preferred', 'alternate', 'fallback'] as const) {
      const end = this.#byMode(pool, stage);
      if (end !== 'nothing') return end;
    }
    return 'nothing';
  }

  #byMode(
    pool: GtmPool,
    stage: 'preferred' | 'alternate' | 'fallback',
  ): 'nothing' | 'given up' | 'returned' | 'dropped' | Answers {
    switch (pool[stage]) {
      case 'drop-packet':
        return 'dropped';
      case 'return-to-dns':
        return stage === 'fallback' ? 'given up' : 'returned';
      case 'fallback-ip': {
        const fits = pool.type === 'a' && pool.fallbackIp !== undefined;
        return fits ? { pool, members: [], address: pool.fallbackIp.join('.') } : 'nothing';
      }
      case 'global-availability': {
        const health = this.#state.health.get(pool)!;
        const all = pool.members.filter((member) => {
          const state = health.get(member);
          return state === 'up' || (stage === 'fallback' && state === 'down');
        });
        const most = pool.type === 'cname' ? 1 : pool.maxAnswersReturned;
        return all.length === 0 ? 'nothing' : { pool, members: all.slice(0, most), address: undefined };
      }
      default:
        // The other modes that a description for this may have are by what nobody has measured.
        return 'nothing';
    }
  }

  #records(wideIp: WideIp, owner: string, type: string, answers: Answers, before: readonly WideIp[]): string[] {
    const { pool, members, address } = answers;
    if (address !== undefined) return [`an ${owner} ${pool.ttl} A ${address}`];
    const records = members.map((member) => `an ${owner} ${pool.ttl} ${dataOf(pool, member)}`);
    const [member] = members;
    const visited = [...before, wideIp];
    if (pool.type !== 'cname' || type === 'CNAME' || member!.isStatic || visited.length > 8) return records;
    if (type === 'ANY' && visited[0]!.type === 'cname') return records;
    const name = member!.name.replace(/\.$/, '');
    const target = this.find(name.toLowerCase(), type);
    if (typeof target === 'string' || visited.includes(target)) return records;
    const end = this.#decide(target);
    return typeof end === 'string' ? records : [...records, ...this.#records(target, name, type, end, visited)];
  }
}

type Answers = { pool: GtmPool; members: readonly PoolMember[]; address: string | undefined };

/** Its own type, else an alias where that may be; for whatever there is, the first type. */
function chooseOf(named: readonly { wideIp: WideIp }[], type: string, mayBeAlias: boolean): WideIp | undefined {
  const first = (wanted: string): WideIp | undefined => named.find(({ wideIp }) => wideIp.type === wanted)?.wideIp;
  if (type === 'any') {
    const types = TYPES.filter((each) => mayBeAlias || each !== 'cname');
    return types.map(first).find((wideIp) => wideIp !== undefined);
  }
  return first(type) ?? (mayBeAlias ? first('cname') : undefined);
}

const isPattern = (text: string): boolean => /[*?]/.test(text);

function likeness(text: string): RegExp {
  return new RegExp(`^${text.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')}$`);
}

/** The labels behind the last one that has a wildcard; of a name without one, all of it. */
function literalEnd(text: string): string {
  return /[^*?]*$/.exec(text)![0].replace(isPattern(text) ? /^[^.]*\.?/ : /^/, '');
}

function bySpecificity(a: string, b: string): number {
  const wildcards = (text: string): number => text.replaceAll(/[^*?]/g, '').length;
  return b.length - wildcards(b) - (a.length - wildcards(a)) || wildcards(a) - wildcards(b) || (a < b ? -1 : 1);
}

function dataOf(pool: GtmPool, member: PoolMember): string {
  const name = member.name.replace(/\.$/, '');
  const { priority, weight, port, naptr } = member;
  switch (pool.type) {
    case 'a':
      return `A ${name.replace('/Common/s:', '')}`;
    case 'aaaa':
      return `AAAA ${name.replace('/Common/s:', '')}`;
    case 'cname':
      return `CNAME ${name}`;
    case 'mx':
      return `MX ${priority} ${name}`;
    case 'srv':
      return `SRV ${priority} ${weight} ${port} ${name}`;
    case 'naptr':
      return `NAPTR ${naptr.order} ${naptr.preference} ${naptr.flags} ${naptr.service}  ${name}`;
  }
}
