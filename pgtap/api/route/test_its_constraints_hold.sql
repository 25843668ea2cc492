begin;
select plan(8);

select throws_ok(
  format('insert into api.route (method, path, function, scope) values (%s)', c.row_values), c.sqlstate, c.message
)
from (values
  (
    '''TRACE'', ''/x'', ''f'', null', '23514',
    'new row for relation "route" violates check constraint "route_method_is_known"'
  ),
  (
    '''HEAD'', ''/x'', ''f'', null', '23514',
    'new row for relation "route" violates check constraint "route_method_is_known"'
  ),
  (
    '''GET'', ''x'', ''f'', null', '23514',
    'new row for relation "route" violates check constraint "route_path_is_absolute"'
  ),
  (
    '''GET'', ''/x/'', ''f'', null', '23514',
    'new row for relation "route" violates check constraint "route_path_is_absolute"'
  ),
  (
    '''GET'', ''/'', ''f'', null', '23514',
    'new row for relation "route" violates check constraint "route_path_is_absolute"'
  ),
  (
    '''GET'', ''/x?y'', ''f'', null', '23514',
    'new row for relation "route" violates check constraint "route_path_is_absolute"'
  ),
  (
    '''GET'', ''/x'', ''f'', ''root''', '23514',
    'new row for relation "route" violates check constraint "route_scope_is_known"'
  ),
  ('''GET'', ''/leads'', ''f'', null', '23505', 'duplicate key value violates unique constraint "route_pkey"')
) as c (row_values, sqlstate, message);

select * from finish();
rollback;
