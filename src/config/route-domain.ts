// Which route domains exist: 0, the host's own table, always does.

import type { IpAddress } from '../core/address.ts';
import type { AnyConfigObject, CheckContext } from './object-type.ts';

/** Refuses an address of a route domain that is not there. */
export function checkRouteDomain(
  object: AnyConfigObject,
  property: string,
  address: IpAddress,
  context: CheckContext,
): void {
  if (address.routeDomain === 0) return;
  context.error(object, `The requested Route Domain (${address.routeDomain}) was not found.`, {
    property,
    value: `%${address.routeDomain}`,
    hint: 'This version has route domain 0 only: leave the % and what follows out.',
    code: 'notFound',
  });
}
