// Who probes for whom: every machine of a group finds the same order by the same configuration, and takes the first that it can ask.

export type ProberPreference = 'inside-datacenter' | 'outside-datacenter' | 'pool';
export type ProberFallback = ProberPreference | 'any-available' | 'none';

/** A `gtm server`, and what it says, or its datacenter for it, of who is to probe it. */
export type ProberServer = {
  readonly name: string;
  readonly datacenter: string;
  /** It is an enabled BIG-IP that may probe for others. */
  readonly isProber: boolean;
  readonly preference: ProberPreference;
  readonly fallback: ProberFallback;
  /** The pool that `preference`, or `fallback`, means; undefined: none is named. */
  readonly preferredPool: string | undefined;
  readonly fallbackPool: string | undefined;
};

export type ProberPool = {
  readonly name: string;
  readonly isEnabled: boolean;
  readonly mode: 'global-availability' | 'round-robin';
  /** Those that are enabled, in their order. */
  readonly members: readonly string[];
};

export type ProberConfiguration = {
  readonly servers: readonly ProberServer[];
  readonly pools: readonly ProberPool[];
};

/** `why`: by which words of the configuration: `prober-preference inside-datacenter`. */
export type ProberCandidate = { readonly server: string; readonly why: string };

export type ProberRanking = {
  readonly candidates: readonly ProberCandidate[];
  /** Where none of them can be asked this machine probes itself (any-available); otherwise nobody does. */
  readonly endsHere: boolean;
  /** The fallback, for a person. */
  readonly fallback: ProberFallback;
};

/** The orders for all servers, by their names. */
export function rankProbers({ servers, pools }: ProberConfiguration): Map<string, ProberRanking> {
  const probers = servers.filter(({ isProber }) => isProber);
  const mayProbe = new Set(probers.map(({ name }) => name));
  const byName = new Map(pools.map((pool) => [pool.name, pool]));
  const turns = turnsOf(servers);
  const membersOf = (poolName: string | undefined, target: ProberServer): string[] => {
    const pool = byName.get(poolName ?? '');
    if (pool?.isEnabled !== true) return [];
    const members = pool.members.filter((member) => mayProbe.has(member));
    if (pool.mode === 'global-availability' || members.length === 0) return members;
    const first = (turns.get(`${pool.name} ${target.name}`) ?? 0) % members.length;
    return [...members.slice(first), ...members.slice(0, first)];
  };
  const chosenBy = (how: ProberFallback, poolName: string | undefined, target: ProberServer): string[] => {
    const inside = (): string[] => spread(target, probers, ({ datacenter }) => datacenter === target.datacenter);
    const outside = (): string[] => spread(target, probers, ({ datacenter }) => datacenter !== target.datacenter);
    switch (how) {
      case 'inside-datacenter':
        return inside();
      case 'outside-datacenter':
        return outside();
      case 'pool':
        return membersOf(poolName, target);
      case 'any-available':
        return [...inside(), ...outside()];
      case 'none':
        return [];
    }
  };
  return new Map(
    servers.map((target) => {
      const { name, preference, fallback, preferredPool, fallbackPool } = target;
      const preferred = chosenBy(preference, preferredPool, target).map((server) => ({
        server,
        why: `prober-preference ${preference}`,
      }));
      const others = chosenBy(fallback, fallbackPool, target)
        .filter((server) => preferred.every((each) => each.server !== server))
        .map((server) => ({ server, why: `prober-fallback ${fallback}` }));
      return [name, { candidates: [...preferred, ...others], endsHere: fallback === 'any-available', fallback }];
    }),
  );
}

/** Places of servers among all that use the same pool, by `POOL SERVER`: round-robin goes by them, and so is the same everywhere. */
function turnsOf(servers: readonly ProberServer[]): Map<string, number> {
  const used = new Map<string, number>();
  const turns = new Map<string, number>();
  for (const { name, preferredPool, fallbackPool } of [...servers].sort((a, b) => compare(a.name, b.name))) {
    for (const pool of new Set([preferredPool, fallbackPool])) {
      if (pool === undefined) continue;
      const turn = used.get(pool) ?? 0;
      used.set(pool, turn + 1);
      turns.set(`${pool} ${name}`, turn);
    }
  }
  return turns;
}

/** Those that are meant, in an order of their own for each target: so each has its share, and keeps it when another one comes or goes. */
function spread(
  target: ProberServer,
  probers: readonly ProberServer[],
  isMeant: (prober: ProberServer) => boolean,
): string[] {
  return probers
    .filter(isMeant)
    .map(({ name }) => ({ name, weight: hash(`${target.name}\n${name}`) }))
    .sort((a, b) => b.weight - a.weight || compare(a.name, b.name))
    .map(({ name }) => name);
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** FNV-1a over the characters, and a mixing of all bits at the end: 32 bits. */
function hash(text: string): number {
  let value = 0x811c_9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x0100_0193);
  value = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2_ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
