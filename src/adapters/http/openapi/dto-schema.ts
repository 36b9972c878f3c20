import { getMetadataStorage } from 'class-validator';
import 'reflect-metadata';

/** A JSON Schema as far as OpenAPI 3.0 knows it. */
export type Schema = Readonly<Record<string, unknown>>;
type DtoClass = abstract new () => object;

/**
 * The schema of a DTO, read from the rules that validate it, so that the document cannot say something else than the
 * server does. `nested` names the classes of nested fields, which the rules do not know.
 */
export function schemaOf(dto: DtoClass, nested: Readonly<Record<string, DtoClass>> = {}): Schema {
  const rules = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  for (const property of new Set(rules.map(({ propertyName }) => propertyName))) {
    const own = rules.filter(({ propertyName }) => propertyName === property);
    const names = own.map(({ name, type }) => name ?? type);
    const item = Object.assign(
      {},
      ...own.map((rule) => fragment(rule.name ?? rule.type, rule.constraints as unknown[] | undefined)),
      nested[property] === undefined ? {} : schemaOf(nested[property]),
    ) as Schema;
    const isArray = names.includes('isArray');
    properties[property] = isArray ? arrayOf(item) : item;
    if (!names.includes('isOptional') && !names.includes('conditionalValidation')) required.push(property);
  }
  return {
    type: 'object',
    properties,
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

function arrayOf({ maxItems, ...items }: Schema): Schema {
  return { type: 'array', items, ...(maxItems === undefined ? {} : { maxItems }) };
}

function fragment(rule: string, constraints: readonly unknown[] = []): Schema {
  const [first, second] = constraints;
  switch (rule) {
    case 'isString':
      return { type: 'string' };
    case 'isInt':
      return { type: 'integer' };
    case 'isBoolean':
      return { type: 'boolean' };
    case 'isObject':
    case 'isNotEmptyObject':
      return { type: 'object' };
    case 'isUuid':
      return { type: 'string', format: 'uuid' };
    case 'isLength':
      return { minLength: first, maxLength: second };
    case 'maxLength':
      return { maxLength: first };
    case 'min':
      return { minimum: first };
    case 'max':
      return { maximum: first };
    case 'isIn':
      return { type: 'string', enum: first };
    case 'matches':
      return { type: 'string', pattern: (first as RegExp).source };
    case 'arrayMaxSize':
      return { maxItems: first };
    case 'isStringMap':
      return { type: 'object', additionalProperties: { oneOf: [{ type: 'string' }, { type: 'number' }] } };
    default:
      return {};
  }
}
