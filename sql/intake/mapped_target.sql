-- intake.mapped_target - where a mapping puts an answer.
set local role leads_owner;

create or replace function intake.mapped_target(mapping jsonb, path text, label text, type text)
returns text language sql immutable parallel safe
begin atomic
  select coalesce(
    mapped_target.mapping ->> mapped_target.path,
    mapped_target.mapping ->> mapped_target.label,
    mapped_target.mapping ->> ('type:' || mapped_target.type),
    (
      select m.target
      from jsonb_each_text(mapped_target.mapping) as m (pattern, target)
      where
        strpos(m.pattern, '*') > 0
        and mapped_target.path like replace(replace(replace(replace(m.pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%')
      -- The longest pattern says the most.
      order by length(m.pattern) desc, m.pattern
      limit 1
    )
  );
end;

comment on function intake.mapped_target(jsonb, text, text, text) is
  'The field, details.NAME, signals.NAME, auto or ignore that the mapping (intake.form.mapping) has for an answer: by its path, the text '
  'of its question, its type, or a path with *. Null: none.';

grant execute on function intake.mapped_target(jsonb, text, text, text) to leads_intake, leads_jobs;
