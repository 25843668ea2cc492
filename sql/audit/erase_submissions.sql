-- audit.erase_submissions - deletes the submissions of a person.
set local role leads_eraser;

create or replace function audit.erase_submissions(organization_id uuid, lead_id uuid, email text, phone_key text)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_count bigint;
  -- The digits without the country code, which a national number doesn't have.
  v_digits text := right(regexp_replace(erase_submissions.phone_key, '[^0-9]', '', 'g'), 9);
begin
  delete from intake.submission as s
  where
    s.organization_id = erase_submissions.organization_id
    and (
      s.lead_id = erase_submissions.lead_id
      or strpos(lower(s.content::text), lower(erase_submissions.email)) > 0
      or (
        char_length(v_digits) >= 7
        and strpos(regexp_replace(s.content::text, '[-() ./+]', '', 'g'), v_digits) > 0
      )
    );
  get diagnostics v_count = row_count;
  return v_count;
end $$;

comment on function audit.erase_submissions(uuid, uuid, text, text) is
$$Deletes the submissions that became the lead, and the kept ones that have the e-mail address or the phone number anywhere in
them. Returns their number. Null: it is not searched for.

email: at least one character. phone_key: as app.phone_key returns it; its last 9 digits are searched for, if there are 7.$$;

grant execute on function audit.erase_submissions(uuid, uuid, text, text) to leads_jobs;
