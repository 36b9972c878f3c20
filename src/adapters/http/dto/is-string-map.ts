import { registerDecorator } from 'class-validator';

export interface StringMapLimits {
  readonly maxEntries: number;
  readonly maxValueLength: number;
}

const MAX_KEY_LENGTH = 256;

/** An object whose values are text or numbers, of bounded size. Names are the domain's to judge. */
export function IsStringMap(limits: StringMapLimits): PropertyDecorator {
  return (target, property) => {
    registerDecorator({
      name: 'isStringMap',
      target: target.constructor,
      propertyName: String(property),
      constraints: [limits],
      validator: {
        validate: (value: unknown) => isStringMap(value, limits),
        defaultMessage: ({ property: name } = { property: '' } as never) =>
          `${name} must be an object of at most ${limits.maxEntries} names with text or numbers of at most ` +
          `${limits.maxValueLength} characters`,
      },
    });
  };
}

function isStringMap(value: unknown, { maxEntries, maxValueLength }: StringMapLimits): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return (
    entries.length <= maxEntries &&
    entries.every(
      ([key, item]) =>
        key.length <= MAX_KEY_LENGTH &&
        (typeof item === 'number' ? Number.isFinite(item) : typeof item === 'string' && item.length <= maxValueLength),
    )
  );
}
