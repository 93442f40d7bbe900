// How iqueryd has what a synchronisation group shares from those who own it, and gives it to them; and what it says of the group.

import * as z from 'zod';

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
/** SHA-256 in hexadecimal. */
const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** Characters of one piece of a text. */
export const GROUP_PIECE_CHARACTERS = 128 * 1024;

/** Details of a refusal: what it was based on does not run any more. */
export const BASE_CHANGED = 'base-changed';

const groupStateSchema = z.object({
  /** Of configd: another one when it was started anew. */
  epoch: count,
  /** One more with each change of any part of the configuration. */
  number: count,
  digest,
  /** Whether there is more than what connects members. */
  hasContent: z.boolean(),
  octets: count,
  /** When it was changed, in milliseconds since 1970, and by whom. */
  time: count,
  changedBy: z.string(),
});
export type GroupState = z.infer<typeof groupStateSchema>;

const zoneFileSchema = z.object({
  /** Of the object. */
  name: z.string(),
  /** Of the text of its file; absent: there is none that can be served. */
  digest: digest.optional(),
  serial: count,
  /** When the file was changed, in milliseconds since 1970. */
  time: count,
});
export type ZoneFileState = z.infer<typeof zoneFileSchema>;

const deviceSchema = z.object({
  name: z.string(),
  isSelf: z.boolean(),
  configsyncIp: z.string(),
  version: z.string(),
  hostname: z.string(),
  failoverState: z.string(),
  /** How it stands with the connection and the configuration. */
  state: z.string(),
});
export type CmDevice = z.infer<typeof deviceSchema>;

const syncStatusSchema = z.object({
  color: z.string(),
  mode: z.enum(['standalone', 'high-availability']),
  status: z.string(),
  summary: z.string(),
  details: z.array(z.string()),
});

export const SYNC_METHODS = {
  /** configd: what runs of what a group shares, then each change of it. */
  'group-configuration': { params: z.object({}), item: groupStateSchema },
  /** configd: the text of this digest, if it is that of what runs. Secrets are in clear. */
  'group-text': { params: z.object({ digest }), item: z.object({ text: z.string() }) },
  /** configd, dnsd: a piece of the text that the next method on this connection is about; the first has number 0. */
  'group-text-piece': { params: z.object({ part: count, text: z.string() }), result: z.null() },
  /**
   * configd: makes the text all of what runs of what a group shares, if `base` is the digest of what runs. `keep`: that is kept in a
   * file. Answered when it is on disk.
   */
  'apply-group-configuration': {
    params: z.object({
      group: z.string(),
      digest,
      base: digest,
      from: z.string(),
      changedBy: z.string(),
      keep: z.boolean(),
    }),
    result: z.object({ state: groupStateSchema, objects: count, kept: z.string().optional() }),
  },
  /** dnsd: the zones whose records are in files of its zone directory, then again when one has changed. */
  'zone-files': { params: z.object({}), item: z.object({ zones: z.array(zoneFileSchema) }) },
  /** dnsd: the text of a zone's file, if it has this digest. Octets as Latin-1. */
  'zone-file-text': { params: z.object({ name: z.string(), digest }), item: z.object({ text: z.string() }) },
  /** dnsd: writes the text that was sent in pieces to the file of a zone, if it is one, and has it served. */
  'apply-zone-file': {
    params: z.object({
      name: z.string(),
      digest,
      /** Of the file that it takes the place of; absent: there is none. */
      base: digest.optional(),
      time: count,
      keep: z.boolean(),
    }),
    result: z.object({ serial: count, kept: z.string().optional() }),
  },
  /** iqueryd: how this machine stands to its group, and who is in it. */
  'group-state': {
    params: z.object({}),
    result: z.object({ sync: syncStatusSchema, devices: z.array(deviceSchema) }),
  },
  /** iqueryd: makes what runs here that of the group (`to-group`), or takes what the group has; answered when that is done. */
  'config-sync': {
    params: z.object({ direction: z.enum(['to-group', 'from-group']), group: z.string(), user: z.string() }),
    result: z.object({ text: z.string() }),
  },
} as const;
