begin;
select plan(1);

create function test.scores()
returns void
language plpgsql
as $$
begin
  for v_score in 1 .. 100 loop
    perform api.update_lead(test.lead('ada@example.com'), format('{"lead_score": %s}', v_score));
  end loop;
end
$$;

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select scores();
select is(
  array(
    select (e -> 'payload' -> 'diff' -> 'lead_score' ->> 'to')::integer
    from json_array_elements(
      (api.list_audit_events(200, lead_id => lead('ada@example.com'))).body::json -> 'data'
    ) with ordinality as e (e, n)
    order by n desc
  ),
  array(select generate_series(0, 100)),
  'the API lists a hundred changes of the same time in their order'
);

select * from finish();
rollback;
