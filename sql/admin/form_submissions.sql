-- admin.form_submissions - lists what forms have kept, for leads forms submissions.
set local role leads_jobs;

create or replace function admin.form_submissions(organization_id uuid, form_id uuid default null, batch integer default 100)
returns table (id uuid, submitted_to uuid, outcome text, lead_id uuid, faults jsonb, content jsonb, created_at text)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.known_organization(form_submissions.organization_id)).organization_id;
begin
  perform audit.record_read(
    v_organization_id,
    'admin.form_submissions',
    array(
      select distinct s.lead_id
      from intake.submission as s
      where
        s.organization_id = v_organization_id
        and s.lead_id is not null
        and s.content is not null
        and (s.form_id = form_submissions.form_id or form_submissions.form_id is null)
    )
  );
  return query
    select s.id, s.form_id, s.outcome, s.lead_id, s.faults, s.content, app.utc_text(s.created_at)
    from intake.submission as s
    where
      s.organization_id = v_organization_id
      and s.content is not null
      and (s.form_id = form_submissions.form_id or form_submissions.form_id is null)
    order by s.created_at desc, s.id desc
    limit form_submissions.batch;
end $$;

comment on function admin.form_submissions(uuid, uuid, integer) is
$$What could not become a lead, or not whole, in the last 30 days: the newest first, and at most batch.

form_id: null for all forms of the organization. The read is recorded in the audit log. Raises PT404 organization_not_found.$$;

grant execute on function admin.form_submissions(uuid, uuid, integer) to leads_operator;
