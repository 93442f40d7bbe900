// `gtm region`: places under one name, for topology.

import { recordsByPattern, string } from '../kinds.ts';
import { type CheckContext, objectType, type ObjectOf } from '../object-type.ts';
import { REGION, splitStatement, statementKind } from '../topology-statement.ts';
import { wordsOf } from '../sentence.ts';

export const gtmRegion = objectType({
  ...REGION,
  runBy: 'dnsd',
  help: 'Places under one name, for topology: what is in one of its members, and in none that has not before it.',
  example: `
gtm region europe {
    region-members {
        continent EU { }
        not country IS { }
    }
}
gtm region near {
    region-members {
        region /Common/europe { }
        subnet 192.0.2.0/24 { }
    }
}
`,
  sync: 'gtm',
  properties: {
    description: string({ help: 'Text for people.' }),
    'region-members': recordsByPattern(statementKind, {}, { default: {}, help: 'The places.' }),
  },
  check(objects, context) {
    const seen = new Set<GtmRegion>();
    // What was changed comes last, and is to blame.
    for (const object of objects.toReversed()) checkCycle(object, seen, context);
  },
});

export type GtmRegion = ObjectOf<typeof gtmRegion>;

const parents = new WeakMap<GtmRegion, readonly string[]>();

/** Regions that are members of a region. */
function membersOf(region: GtmRegion): readonly string[] {
  let names = parents.get(region);
  if (names === undefined) {
    const statements = Object.keys(region.properties['region-members']).map((key) => splitStatement(wordsOf(key)!));
    names = statements.filter(({ kind }) => kind === 'region').map(({ value }) => value);
    parents.set(region, names);
  }
  return names;
}

/** No region is in itself. `seen` are those that lead to no cycle, or to one that was reported. */
function checkCycle(object: GtmRegion, seen: Set<GtmRegion>, context: CheckContext): void {
  const cycle = cycleFrom(object, [], seen, context);
  if (cycle === undefined) return;
  for (const region of cycle) seen.add(region);
  const path = [...cycle, cycle[0]!].map(({ name }) => name);
  const [first, second] = path;
  const text = `Region (${first}): region-members leads back to itself: ${path.join(', ')}.`;
  const hint = `Take one of them away: modify gtm region ${first} region-members delete { region ${second} }`;
  context.error(cycle[0]!, text, { property: 'region-members', value: second!, hint });
}

/** Regions of a cycle that a region leads to, each a member of the one before it; undefined where there is none. */
function cycleFrom(
  region: GtmRegion,
  above: readonly GtmRegion[],
  seen: Set<GtmRegion>,
  context: CheckContext,
): readonly GtmRegion[] | undefined {
  if (seen.has(region)) return undefined;
  const at = above.indexOf(region);
  if (at >= 0) return above.slice(at);
  for (const name of membersOf(region)) {
    const member: GtmRegion | undefined = context.find(gtmRegion, name);
    const cycle = member === undefined ? undefined : cycleFrom(member, [...above, region], seen, context);
    if (cycle !== undefined) return cycle;
  }
  seen.add(region);
  return undefined;
}
