// What a message of the mesh is made of: fields, each of which becomes one child element of the message's element.

/** `text` is at most `most` characters; an `integer` fits 53 bits; `list` repeats its element for each text. */
export type Field<T = unknown> = {
  readonly shape: 'text' | 'integer' | 'flag' | 'choice' | 'list';
  readonly most: number;
  readonly choices: readonly string[];
  readonly isOptional: boolean;
  /** Only for its type. */
  readonly is?: T;
};

export type FieldMap = Readonly<Record<string, Field>>;

/** What a message says, by its fields: names as in the element, `_` between words. */
export type ValuesOf<F extends FieldMap> = {
  readonly [K in keyof F as F[K]['isOptional'] extends true ? never : K]: NonNullable<F[K]['is']>;
} & {
  readonly [K in keyof F as F[K]['isOptional'] extends true ? K : never]?: NonNullable<F[K]['is']> | undefined;
};

type Required<T> = Field<T> & { readonly isOptional: false };

const MOST_TEXT = 512;
const MOST_LISTED = 64;

const field = <T>(
  shape: Field['shape'],
  { most = 0, choices = [] }: { most?: number; choices?: readonly string[] } = {},
): Required<T> => ({ shape, most, choices, isOptional: false });

/** Characters. */
export const text = (most = MOST_TEXT) => field<string>('text', { most });
/** Not negative. */
export const integer = () => field<number>('integer');
/** `yes` or `no`. */
export const flag = () => field<boolean>('flag');
export const choice = <const C extends readonly string[]>(choices: C) => field<C[number]>('choice', { choices });
export const list = (most = MOST_LISTED) => field<readonly string[]>('list', { most });

export function optional<T>(inner: Required<T>): Field<T> & { readonly isOptional: true } {
  return { ...inner, isOptional: true };
}

/** `version`, `big3d` and `connection_id` have no child elements: the text of their element is the value, as a BIG-IP has it. */
export function isPlainText(fields: FieldMap): boolean {
  return Object.hasOwn(fields, 'value') && Object.keys(fields).length === 1;
}
