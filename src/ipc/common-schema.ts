// Parts of messages that several schemas have.

import * as z from 'zod';

/** The text of an IP address. */
export const ipText = z.string().regex(/^[0-9a-f:.]+$/);

/** An object that a daemon could not apply. */
export const applyFailureSchema = z.object({
  /** Type and name: `net vlan /Common/wan`. */
  object: z.string(),
  reason: z.string(),
});
