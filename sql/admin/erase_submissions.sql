-- admin.erase_submissions - deletes the submissions of a person, for leads erase.
set local role leads_jobs;

create or replace function admin.erase_submissions(organization_id uuid, email text, phone text)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.known_organization(erase_submissions.organization_id)).organization_id;
begin
  perform audit.check_placement(v_organization_id);
  -- The number says whether forms have received something of the person.
  perform audit.record_read(v_organization_id, 'admin.erase_submissions', '{}');
  return audit.erase_submissions(
    v_organization_id,
    null,
    app.ascii_email(nullif(app.clean_text(erase_submissions.email), '')),
    app.phone_key(app.clean_text(erase_submissions.phone), app.country_code(v_organization_id)),
    app.country_code(v_organization_id)
  );
end $$;

comment on function admin.erase_submissions(uuid, text, text) is
  'Deletes what forms have kept with this e-mail address or phone number; null: it is not searched for. Returns the number. '
  'The audit log records the call. Raises PT404 organization_not_found.';

grant execute on function admin.erase_submissions(uuid, text, text) to leads_operator;
