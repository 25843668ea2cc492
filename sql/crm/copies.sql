-- crm.copies - the records of a lead in the CRMs.
set local role leads_jobs;

create or replace function crm.copies(organization_id uuid, lead_id uuid)
returns json language sql stable security invoker
begin atomic
  select coalesce(
    json_agg(
      json_build_object(
        'vendor', s.vendor,
        'account', s.account,
        'status', s.status,
        'external_id', s.external_id,
        'may_have_made', (
          select coalesce(
            json_agg(
              json_build_object('email', a.email, 'display_name', a.display_name, 'sent_at', app.utc_text(a.sent_at))
              order by a.number
            ),
            '[]'
          )
          from crm.attempt as a
          where
            a.organization_id = s.organization_id
            and a.sync_id = s.id
            and a.sent_at is not null
            and a.outcome is null
        )
      )
      order by s.created_at, s.id
    ),
    '[]'
  )
  from crm.sync as s
  where s.organization_id = copies.organization_id and s.lead_id = copies.lead_id;
end;

comment on function crm.copies(uuid, uuid) is
$$[{"vendor", "account", "status", "external_id", "may_have_made": [{"email", "display_name", "sent_at"}]}], one for each push.

external_id: the record's id; null: unknown. may_have_made: calls that may have created a record.$$;

grant execute on function crm.copies(uuid, uuid) to leads_eraser;
