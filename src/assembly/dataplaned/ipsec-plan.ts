// The part of the plan that is IPsec: numbers of policies, selectors and associations, and what the worker is told of them.

import { tunnelScope } from '../../ipsec/traffic-selector.ts';
import type { Model } from './model.ts';
import { Numbers } from './numbers.ts';
import type { Operation } from './spec.ts';

/** The keys of an association: as in AssociationSpec. */
export type KeyOf = (association: string) => { key: number; openedSecond: number } | undefined;

/** Keys of their rows of counters. */
export const selectorRowKey = (name: string): string => `selector ${name}`;
export const associationRowKey = (name: string): string => `association ${name}`;

/** What the planner gives out: the row of a key, and the number of a bridge member. */
export type IpsecPlaces = { row(key: string): number; member(name: string): number };

export type PlannedIpsec = { kind: 'selector' | 'association'; key: string; set: Operation; remove: Operation };

type IpsecModel = Pick<Model, 'selectors' | 'associations'>;

export class IpsecPlan {
  readonly #policies = new Numbers();
  readonly #selectors = new Numbers();
  readonly #associations = new Numbers();

  /** All that there shall be; an association without keys is left out. */
  *describe(model: IpsecModel, keyOf: KeyOf, places: IpsecPlaces): Generator<PlannedIpsec, void> {
    for (const { tunnel, routeDomain, policy, key, ...rest } of model.selectors.values()) {
      const id = this.#selectors.of(key);
      const scope = tunnel === undefined ? routeDomain : tunnelScope(places.member(tunnel));
      const spec = {
        ...rest,
        id,
        row: places.row(selectorRowKey(rest.name)),
        scope,
        policy: this.#policies.of(policy),
      };
      const remove = { op: 'remove-traffic-selector', id } as const;
      yield { kind: 'selector', key, set: { op: 'set-traffic-selector', spec }, remove };
    }
    for (const { name, policy, tunnel, routeDomain, sends, sa } of model.associations.values()) {
      const opened = keyOf(name);
      if (opened === undefined) continue;
      const id = this.#associations.of(name);
      const place = {
        id,
        name,
        row: places.row(associationRowKey(name)),
        routeDomain,
        policy: this.#policies.of(policy),
      };
      const member = tunnel === undefined ? -1 : places.member(tunnel);
      const spec = { ...place, sends, tunnel: member, ...opened, sa };
      yield {
        kind: 'association',
        key: name,
        set: { op: 'set-association', spec },
        remove: { op: 'remove-association', id },
      };
    }
  }

  /** Number of a policy, from 1 on; 0: there is none. */
  policy(name: string): number {
    return (this.#policies.find(name) ?? -1) + 1;
  }

  association(name: string): number | undefined {
    return this.#associations.find(name);
  }

  /** Whether there are as many numbers as there is of everything, so that nothing has gone. */
  isAllThere({ selectors, associations }: IpsecModel): boolean {
    return (
      this.#policies.size === policiesOf({ selectors, associations }).size &&
      this.#selectors.size === selectors.size &&
      this.#associations.size === associations.size
    );
  }

  /** Gives back the numbers of what is no longer there; the keys of the rows that are still used. */
  keepOnly({ selectors, associations }: IpsecModel): Set<string> {
    this.#policies.keepOnly(policiesOf({ selectors, associations }));
    this.#selectors.keepOnly(selectors);
    this.#associations.keepOnly(associations);
    const names = [...selectors.values()].map(({ name }) => name);
    return new Set([...names.map(selectorRowKey), ...[...associations.keys()].map(associationRowKey)]);
  }
}

const policiesOf = ({ selectors, associations }: IpsecModel): Set<string> =>
  new Set([...selectors.values(), ...associations.values()].map(({ policy }) => policy));
