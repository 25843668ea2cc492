-- admin.form_presets - lists the services whose submissions are known, for leads forms presets.
set local role leads_jobs;

create or replace function admin.form_presets()
returns table (name text, title text, signature text) language sql stable security definer
begin atomic
  select p.name, p.title, p.signature from intake.preset as p order by p.name;
end;

comment on function admin.form_presets() is
  'The presets of forms. signature: how the service proves that it is the sender; null: it does not.';

grant execute on function admin.form_presets() to leads_operator;
