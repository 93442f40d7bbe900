// Reads `nft --json list ruleset` (libnftables-json(5)) as chains that see packets for this host.

import {
  allOf,
  invert,
  matchIf,
  type FirewallChain,
  type FirewallRule,
  type Match,
  type ProbePacket,
  type RuleAction,
} from './firewall.ts';

/** Families whose input hook sees an IPv4 packet of a tunnel peer. */
const FAMILIES = new Set(['ip', 'inet']);
const HOOKS = new Set(['prerouting', 'input']);

type Json = Record<string, unknown>;

export function readNftRuleset(json: string, packet: ProbePacket): FirewallChain[] {
  const items = (JSON.parse(json) as { nftables: Json[] }).nftables;
  const chains = new Map<string, FirewallChain>();
  const sets = new Map<string, unknown>();
  for (const item of items) {
    const chain = item.chain as
      { family: string; table: string; name: string; hook?: string; policy?: string } | undefined;
    if (chain && FAMILIES.has(chain.family)) {
      const sees = chain.hook !== undefined && HOOKS.has(chain.hook);
      const policy = sees ? (chain.policy === 'drop' ? 'drop' : 'accept') : undefined;
      const name = key(chain.family, chain.table, chain.name);
      chains.set(name, { name, policy, rules: [] });
    }
    const set = item.set as { family: string; table: string; name: string; elem?: unknown } | undefined;
    if (set) sets.set(key(set.family, set.table, set.name), set.elem);
  }
  for (const item of items) {
    const rule = item.rule as { family: string; table: string; chain: string; expr?: Json[] } | undefined;
    const chain = rule && chains.get(key(rule.family, rule.table, rule.chain));
    if (!chain) continue;
    const lookUp = (name: string): unknown => sets.get(key(rule.family, rule.table, name));
    const named = (target: string): string => key(rule.family, rule.table, target);
    chain.rules.push(...readRule(rule.expr ?? [], packet, lookUp, named));
  }
  return [...chains.values()];
}

const key = (...parts: string[]): string => parts.join(' ');

/** Statements that neither match nor decide. */
const NEUTRAL = new Set(['counter', 'log', 'comment', 'notrack', 'mangle', 'meter']);

function readRule(
  expressions: readonly Json[],
  packet: ProbePacket,
  lookUp: (set: string) => unknown,
  chainName: (target: string) => string,
): FirewallRule[] {
  const matches: Match[] = [];
  for (const expression of expressions) {
    const [kind, value] = Object.entries(expression)[0] ?? ['', undefined];
    if (kind === 'match') matches.push(readMatch(value as MatchExpression, packet, lookUp));
    else if (kind === 'accept' || kind === 'drop' || kind === 'return') {
      return [{ matches: allOf(matches), action: { kind } }];
    } else if (kind === 'reject') return [{ matches: allOf(matches), action: { kind: 'drop' } }];
    else if (kind === 'jump' || kind === 'goto') {
      const chain = chainName((value as { target: string }).target);
      return [{ matches: allOf(matches), action: { kind, chain } }];
    } else if (kind === 'vmap') return readVerdictMap(value as VerdictMap, matches, packet, lookUp, chainName);
    else if (!NEUTRAL.has(kind)) matches.push('maybe');
  }
  return [];
}

type MatchExpression = { op: string; left: Json; right: unknown };

function readMatch(match: MatchExpression, packet: ProbePacket, lookUp: (set: string) => unknown): Match {
  const actual = fieldOf(match.left, packet);
  if (actual === undefined) return 'maybe';
  if (actual === null) return 'no';
  const contained = contains(match.right, actual, lookUp);
  if (match.op === '==' || match.op === 'in') return contained;
  return match.op === '!=' ? invert(contained) : 'maybe';
}

/** What the packet has in this field; null: it has no such field, undefined: not known. */
function fieldOf(left: Json, packet: ProbePacket): string | number | null | undefined {
  const meta = left.meta as { key: string } | undefined;
  if (meta) {
    const known: Record<string, string> = {
      iifname: packet.device,
      iif: packet.device,
      l4proto: 'udp',
      nfproto: 'ipv4',
    };
    return known[meta.key];
  }
  const payload = left.payload as { protocol?: string; field?: string } | undefined;
  if (payload) {
    const field = `${payload.protocol ?? ''} ${payload.field ?? ''}`;
    if (field === 'udp dport' || field === 'th dport') return packet.port;
    if (field === 'ip protocol') return 'udp';
    if (payload.protocol === 'tcp' || payload.protocol === 'icmp' || payload.protocol === 'ip6') return null;
    return undefined;
  }
  // Each flow of a tunnel has a source port of its own, so packets of peers are new to connection tracking.
  const tracking = left.ct as { key: string } | undefined;
  return tracking?.key === 'state' ? 'new' : undefined;
}

function contains(right: unknown, actual: string | number, lookUp: (set: string) => unknown): Match {
  if (typeof right === 'string' && right.startsWith('@')) {
    const elements = lookUp(right.slice(1));
    return elements === undefined ? 'maybe' : contains(elements, actual, lookUp);
  }
  if (typeof right === 'string' && right.endsWith('*')) return matchIf(String(actual).startsWith(right.slice(0, -1)));
  if (typeof right === 'string' || typeof right === 'number') return matchIf(right === actual);
  if (Array.isArray(right)) {
    const each = right.map((element: unknown) => contains(element, actual, lookUp));
    return each.includes('yes') ? 'yes' : each.includes('maybe') ? 'maybe' : 'no';
  }
  if (typeof right === 'object' && right !== null) {
    const { set, range } = right as { set?: unknown; range?: [unknown, unknown] };
    if (set !== undefined) return contains(set, actual, lookUp);
    if (range && typeof range[0] === 'number' && typeof range[1] === 'number' && typeof actual === 'number') {
      return matchIf(range[0] <= actual && actual <= range[1]);
    }
  }
  return 'maybe';
}

type VerdictMap = { key: Json; data: unknown };

function readVerdictMap(
  map: VerdictMap,
  matches: readonly Match[],
  packet: ProbePacket,
  lookUp: (set: string) => unknown,
  chainName: (target: string) => string,
): FirewallRule[] {
  const data = typeof map.data === 'string' ? lookUp(map.data.slice(1)) : (map.data as { set?: unknown }).set;
  const actual = fieldOf(map.key, packet);
  if (!Array.isArray(data)) return [{ matches: 'maybe', action: { kind: 'accept' } }];
  return (data as [unknown, Json][]).flatMap(([value, verdict]) => {
    const selects = actual === undefined ? 'maybe' : actual === null ? 'no' : contains(value, actual, lookUp);
    return readRule([verdict], packet, lookUp, chainName).map((rule) => ({
      matches: allOf([...matches, selects]),
      action: rule.action satisfies RuleAction,
    }));
  });
}
