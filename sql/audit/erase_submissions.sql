-- audit.erase_submissions - deletes the submissions of a person.
set local role leads_eraser;

create or replace function audit.erase_submissions(organization_id uuid, lead_id uuid, email text, phone_key text, country_code text)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_count bigint;
begin
  delete from intake.submission as s
  where
    s.organization_id = erase_submissions.organization_id
    and (
      s.lead_id = erase_submissions.lead_id
      or audit.is_about_person(
        s.content, erase_submissions.email, erase_submissions.phone_key, erase_submissions.country_code
      )
    );
  get diagnostics v_count = row_count;
  return v_count;
end $$;

comment on function audit.erase_submissions(uuid, uuid, text, text, text) is
$$Deletes the submissions that became the lead, and the kept ones that have the e-mail address or the phone number anywhere in
them. Returns their number. Null: it is not searched for.

email, phone_key, country_code: see audit.is_about_person.$$;

grant execute on function audit.erase_submissions(uuid, uuid, text, text, text) to leads_jobs;
