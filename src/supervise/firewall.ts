// Whether the host's firewall is certain to drop a tunnel's packets.
//
// Chains are walked with three-valued matches: a rule that is not understood may match or not. Only a certain drop is
// reported; a warning that is wrong half of the time is not read.

export type Match = 'yes' | 'no' | 'maybe';

export type RuleAction =
  | { kind: 'accept' }
  | { kind: 'drop' }
  | { kind: 'return' }
  | { kind: 'continue' }
  | { kind: 'jump'; chain: string }
  | { kind: 'goto'; chain: string };

export type FirewallRule = { matches: Match; action: RuleAction };

export type FirewallChain = {
  /** As the command that adds a rule names it: `inet filter input`, `INPUT`. */
  name: string;
  /** Of a chain that sees packets for this host; undefined: reached by jumps only. */
  policy: 'accept' | 'drop' | undefined;
  rules: FirewallRule[];
};

/** The packet in question: the first of a tunnel peer, on its way in. */
export type ProbePacket = { device: string; port: number };

type Outcome = 'accept' | 'drop' | 'continue';

/** Jumps nest at most this deep; the kernel's own limit is 16. */
const JUMP_LIMIT = 16;

/** The base chain that is certain to drop the packet, if there is one. */
export function droppingChain(chains: readonly FirewallChain[]): FirewallChain | undefined {
  return chains.find((chain) => {
    if (chain.policy === undefined) return false;
    const outcomes = walk(chain, chains, 0);
    if (outcomes.delete('continue')) outcomes.add(chain.policy);
    return outcomes.size === 1 && outcomes.has('drop');
  });
}

/** All that may become of the packet in a chain; `continue`: it comes to the end of it. */
function walk(chain: FirewallChain, chains: readonly FirewallChain[], depth: number): Set<Outcome> {
  const possible = new Set<Outcome>();
  for (const rule of chain.rules) {
    if (rule.matches === 'no' || rule.action.kind === 'continue') continue;
    const outcomes = follow(rule.action, chains, depth);
    const comesBack = rule.action.kind === 'jump' && outcomes.delete('continue');
    for (const outcome of outcomes) possible.add(outcome);
    if (rule.matches === 'yes' && !comesBack) return possible;
  }
  possible.add('continue');
  return possible;
}

function follow(action: RuleAction, chains: readonly FirewallChain[], depth: number): Set<Outcome> {
  if (action.kind === 'accept' || action.kind === 'drop') return new Set([action.kind]);
  if (action.kind === 'jump' || action.kind === 'goto') {
    const target = chains.find((chain) => chain.name === action.chain);
    if (target && depth < JUMP_LIMIT) return walk(target, chains, depth + 1);
  }
  return new Set(['continue']);
}

/** All of these have to match. */
export function allOf(matches: readonly Match[]): Match {
  if (matches.includes('no')) return 'no';
  return matches.includes('maybe') ? 'maybe' : 'yes';
}

export const invert = (match: Match): Match => (match === 'maybe' ? match : match === 'yes' ? 'no' : 'yes');

export const matchIf = (condition: boolean): Match => (condition ? 'yes' : 'no');
