begin;
select plan(17);

create function test.results(body text, match text, on_duplicate text)
returns text language plpgsql volatile security definer
as $$
declare
  v_body json := (
    api.store_leads(results.body, 'application/json', match => results.match, on_duplicate => results.on_duplicate)
  ).body;
begin
  return (
    select string_agg(
      concat_ws(' ', r.status, (select l.email from app.lead as l where l.id = r.id), r.errors #>> '{0,code}'),
      ', ' order by r."row"
    )
    from json_to_recordset(v_body -> 'results') as r ("row" integer, status text, id uuid, errors json)
  );
end $$;

select act_as('alice');
select made_lead('{"name": "Ada", "email": "ada@example.com", "reference": "1", "phone": "+15550100199", "source": "web"}');
select made_lead('{"name": "Bea", "email": "bea@example.com", "reference": "2"}');
select made_lead('{"name": "Bob", "email": "Bea@example.com", "reference": "3"}');
select act_as('bob');
select made_lead('{"name": "Other", "email": "other@example.com", "reference": "b", "phone": "+15550100111"}');

-- From here on as leads_exec, so that the test can read the leads.
select act_inside('alice');
select is(
  test.results('[{"email": "new@example.com", "reference": "1"}, {"email": "new2@example.com", "reference": " 9 "}]', 'reference', 'error'),
  'failed ada@example.com duplicate, created new2@example.com', 'error'
);
select is(
  test.results('[{"email": "x@example.com", "reference": "b"}]', 'reference', 'skip'),
  'created x@example.com', 'a reference of another organization is no duplicate'
);
select is(
  test.results('[{"email": "other@example.com"}]', 'email', 'update'),
  'created other@example.com', 'nor is its e-mail address'
);
select is(
  test.results('[{"email": "p@example.com", "phone": "+15550100111"}]', 'phone', 'update'),
  'created p@example.com', 'nor is its phone number'
);
select is(
  test.results('[{"email": "new@example.com", "reference": "1"}]', 'reference', 'skip'),
  'skipped ada@example.com', 'skip'
);
select is(
  test.results('[{"name": "Ada A.", "reference": "1", "company": "Alder"}]', 'reference', 'update'),
  'updated ada@example.com', 'update'
);
select is(
  (select concat_ws(',', l.name, l.company, l.source, l.revision) from app.lead as l where l.reference = '1' and l.organization_id = organization('alice')),
  'Ada A.,Alder,web,2', 'a field that is left out keeps its value'
);
select is(
  test.results('[{"name": "Ada A.", "reference": "1"}]', 'reference', 'update'),
  'updated ada@example.com', 'an update that changes nothing'
);
select is(
  (select l.revision from app.lead as l where l.reference = '1' and l.organization_id = organization('alice')), 2, 'writes nothing'
);
select is(
  test.results('[{"email": "ADA@example.com", "lead_score": 5}, {"email": "bea@example.com"}]', 'email', 'update'),
  'updated ADA@example.com, failed ambiguous', 'by e-mail, whose case does not matter'
);
select is(
  test.results('[{"phone": "001 555 010-0199", "name": "Ada"}]', 'phone', 'update'), 'updated ADA@example.com', 'by phone, in any spelling'
);
select is(
  test.results('[{"email": "ada@example.com", "reference": "2"}]', 'email', 'update'),
  'failed reference_in_use', 'a reference that another lead has'
);
select is(
  test.results('[{"email": "n1@example.com", "reference": "2"}]', 'email', 'error'),
  'failed reference_in_use', 'also of a new lead'
);
select is(
  test.results('[{"email": null, "reference": "2"}, {"name": null, "reference": "3"}]', 'reference', 'update'),
  'failed contact_required, updated Bea@example.com', 'the lead must keep its contact data'
);
select is(
  test.results(
    '[{"email": "t1@example.com", "reference": "t"}, {"email": "t2@example.com", "reference": "t"}, {"lead_score": 300, "reference": "u"},
    {"email": "u@example.com", "reference": "u"}, {"email": "t3@example.com", "reference": "t"}]',
    'reference', 'update'
  ),
  'created t3@example.com, updated t3@example.com, failed out_of_range, created u@example.com, updated t3@example.com',
  'rows of one upload, in their order'
);
select is(
  test.results('[{"email": "v1@example.com", "reference": "v"}, {"email": "v2@example.com", "reference": "v"}]', 'reference', 'skip'),
  'created v1@example.com, skipped v1@example.com', 'the first row wins'
);
select matches(
  test.results(
    (select json_agg(json_build_object('email', 'w@example.com', 'reference', 'w', 'name', n))::text from (select n::text from generate_series(1, 102) as n) as n),
    'reference', 'update'
  ),
  '^created w@example.com(, updated w@example.com){99}(, failed too_many){2}$', 'at most 100 rows for a lead'
);

select * from finish();
rollback;
