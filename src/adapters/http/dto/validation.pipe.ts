import { type ValidationError, ValidationPipe } from '@nestjs/common';
import { getMetadataStorage } from 'class-validator';
import { InvalidFieldsError, type FieldProblem } from '../problem.js';

/** One answer for all that is wrong with a body or query; fields that nobody knows are wrong too. */
export function validationPipe(): ValidationPipe {
  return new ValidationPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    validationError: { target: true, value: false },
    exceptionFactory: (errors) => new InvalidFieldsError(errors.flatMap((error) => problemsOf(error, ''))),
  });
}

function problemsOf(error: ValidationError, path: string): FieldProblem[] {
  const field = path + error.property;
  const own = Object.entries(error.constraints ?? {}).map(([rule, message]) => ({
    field,
    message: rule === 'whitelistValidation' ? `${field} is not known here${knownFields(error)}` : path + message,
  }));
  return [...own, ...(error.children ?? []).flatMap((child) => problemsOf(child, `${field}.`))];
}

function knownFields({ target }: ValidationError): string {
  if (target === undefined) return '';
  const metadata = getMetadataStorage().getTargetValidationMetadatas(target.constructor, '', false, false);
  const known = new Set(metadata.map(({ propertyName }) => propertyName));
  return known.size === 0 ? '' : `; known are ${[...known].join(', ')}`;
}
