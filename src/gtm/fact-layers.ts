// Who says what: what was said by hand lies over what was measured, and below lies what machines say of their loads, field by field;
// what counts is what is seen from above. A status goes with its reason. When the hand is taken away what is below shows again.

import {
  type FactLayer,
  type Facts,
  type MemberFacts,
  newFactLayer,
  type PathFacts,
  type ServerFacts,
  type ThingChange,
} from './facts.ts';

/** A machine that says how loaded it is, by its `gtm server`. */
export type SpeakingMachine = {
  /** It is connected, and all of its numbers are there. */
  readonly isHeard: boolean;
  /** Milliseconds since 1970 when it was heard last, as long as it is not; 0: never. */
  readonly heard: number;
};

/** By hand, by monitors, and by the mesh: that has numbers alone. */
export type LayerName = 'hand' | 'measured' | 'mesh';

/** All that is known: what a daemon keeps over a restart. */
export type KnownFacts = {
  readonly hand: FactLayer;
  readonly measured: FactLayer;
  readonly mesh: FactLayer;
  readonly machines: Map<string, SpeakingMachine>;
  /** As `Facts` has them. */
  readonly paths: Map<string, PathFacts>;
  readonly held: Set<string>;
  /** Milliseconds since 1970 when whoever measures was last heard of; 0: never. */
  heard: number;
  /** The same of who tells of the mesh. */
  meshHeard: number;
};

export function newKnownFacts(): KnownFacts {
  return {
    hand: newFactLayer(),
    measured: newFactLayer(),
    mesh: newFactLayer(),
    machines: new Map(),
    paths: new Map(),
    held: new Set(),
    heard: 0,
    meshHeard: 0,
  };
}

export class FactLayers {
  readonly known: KnownFacts;
  /** What counts: `paths` and `held` are those that are known. */
  readonly facts: Facts;

  constructor(known: KnownFacts) {
    this.known = known;
    const { hand, measured, mesh, paths, held } = known;
    this.facts = { ...newFactLayer(), paths, held };
    for (const change of [...changesOf(mesh), ...changesOf(measured), ...changesOf(hand)]) this.take(this.seen(change));
  }

  /** Puts it into a layer; returns what follows for what counts, which is not done yet. */
  say(layer: LayerName, change: ThingChange): ThingChange {
    put(this.known[layer], change);
    return this.seen(change);
  }

  /** Whether a layer says of how the thing is just that. */
  isSaid(layer: 'hand' | 'measured', change: ThingChange): boolean {
    const before = factsIn(this.known[layer], change);
    const after = change.facts;
    if (before === undefined || after === undefined) return before === after;
    const same = ['status', 'reason', 'since', 'goodFor', 'sparesVirtualServers'] as const;
    const [said, says]: readonly [ServerFacts, ServerFacts] = [before, after];
    return same.every((field) => said[field] === says[field]);
  }

  /** As it is seen from above. */
  seen(change: ThingChange): ThingChange {
    const { hand, measured, mesh } = this.known;
    switch (change.kind) {
      case 'virtual-server': {
        const { key } = change;
        const below = merged(measured.virtualServers.get(key), mesh.virtualServers.get(key));
        return { ...change, facts: merged(hand.virtualServers.get(key), below) };
      }
      case 'server': {
        const { name } = change;
        const below = merged(measured.servers.get(name), mesh.servers.get(name));
        return { ...change, facts: merged(hand.servers.get(name), below) };
      }
      case 'member':
        return { ...change, facts: merged(hand.members.get(change.key), measured.members.get(change.key)) };
    }
  }

  /** Does to what counts what nobody else does. */
  take(change: ThingChange): void {
    put(this.facts, change);
  }
}

/** Everything that a layer says. */
export function* changesOf({ servers, virtualServers, members }: FactLayer): Generator<ThingChange, void> {
  for (const [name, facts] of servers) yield { kind: 'server', name, facts };
  for (const [key, facts] of virtualServers) yield { kind: 'virtual-server', key, facts };
  for (const [key, facts] of members) yield { kind: 'member', key, facts };
}

function factsIn({ servers, virtualServers, members }: FactLayer, change: ThingChange): MemberFacts | undefined {
  switch (change.kind) {
    case 'virtual-server':
      return virtualServers.get(change.key);
    case 'server':
      return servers.get(change.name);
    case 'member':
      return members.get(change.key);
  }
}

/** What a change is about. */
export const subjectOf = (change: ThingChange): string => (change.kind === 'server' ? change.name : change.key);

function put(layer: FactLayer, change: ThingChange): void {
  switch (change.kind) {
    case 'virtual-server':
      putOne(layer.virtualServers, change.key, change.facts);
      break;
    case 'server':
      putOne(layer.servers, change.name, change.facts);
      break;
    case 'member':
      putOne(layer.members, change.key, change.facts);
      break;
  }
}

function putOne<T>(map: Map<string, T>, key: string, facts: T | undefined): void {
  if (facts === undefined) map.delete(key);
  else map.set(key, facts);
}

function merged<T extends MemberFacts>(above: T | undefined, below: T | undefined): T | undefined {
  if (above === undefined || below === undefined) return above ?? below;
  if (above.status === undefined) return { ...below, ...above };
  const { reason, since, goodFor } = above;
  // Whether virtual servers go along belongs to the status too.
  const spares = 'sparesVirtualServers' in below && {
    sparesVirtualServers: (above as ServerFacts).sparesVirtualServers,
  };
  return { ...below, ...above, reason, since, goodFor, ...spares };
}
